//! The store over a temporary folder.

use std::collections::BTreeMap;
use std::convert::Infallible;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use uuid::Uuid;

use super::{FileRef, LOCAL_PART_BYTES, Place, Storage, StorageError};
use crate::config::Config;
use crate::ids::{FacilityId, new_id};

const LIMIT: u64 = 4 * 1024 * 1024;

struct Store {
    storage: Storage,
    folder: tempfile::TempDir,
}

impl Store {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("file://{}", folder.path().display());
        let values = BTreeMap::from([("ANAMNESIS_STORAGE_URL".to_owned(), url)]);
        Self { storage: Storage::open(&Config::from_values(&values).unwrap()).unwrap(), folder }
    }

    /// Every file in the folder, finished or not.
    fn files(&self) -> Vec<std::path::PathBuf> {
        fn walk(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { walk(&path, found) } else { found.push(path) }
            }
        }
        let mut found = Vec::new();
        walk(self.folder.path(), &mut found);
        found
    }

    async fn put(&self, content: &[u8], piece: usize) -> FileRef {
        let pieces =
            stream::iter(content.chunks(piece).map(|piece| Ok::<_, Infallible>(Bytes::copy_from_slice(piece))));
        self.storage.put(place(new_id()), pieces, LIMIT).await.unwrap().keep()
    }

    async fn settled(&self) {
        self.storage.open_uploads().wait_for(|open| *open == 0).await.unwrap();
    }
}

fn place(facility: FacilityId) -> Place {
    Place { facility, file: Uuid::now_v7(), year: 2026 }
}

/// Bytes that repeat in no part of a file.
fn content(bytes: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    };
    (0..bytes).map(step).collect()
}

#[tokio::test]
async fn a_file_comes_back_whatever_its_length() {
    let store = Store::new();
    for bytes in [0, 1, 65_535, 65_536, 65_537, LOCAL_PART_BYTES, 2 * LOCAL_PART_BYTES + 17] {
        let sent = content(bytes);
        let file = store.put(&sent, 10_007).await;
        assert_eq!(file.size_bytes, bytes as u64);
        assert_eq!(store.storage.read(&file).await.unwrap(), sent, "{bytes}");
    }
    assert_eq!(*store.storage.open_uploads().borrow(), 0);
}

#[tokio::test]
async fn what_is_stored_is_not_what_was_sent() {
    let store = Store::new();
    let sent = b"canary ".repeat(20_000);
    store.put(&sent, 4096).await;
    for file in store.files() {
        let stored = std::fs::read(file).unwrap();
        assert!(stored.len() >= sent.len());
        assert!(!stored.windows(6).any(|window| window == b"canary"));
    }
}

#[tokio::test]
async fn one_byte_too_many_leaves_nothing() {
    let store = Store::new();
    let most = content(usize::try_from(LIMIT).unwrap());
    store.put(&most, 100_000).await;
    assert_eq!(store.files().len(), 1);
    let pieces =
        most.chunks(100_000).chain([&b"x"[..]]).map(|piece| Ok::<_, Infallible>(Bytes::copy_from_slice(piece)));
    let refused = store.storage.put(place(new_id()), stream::iter(pieces), LIMIT).await.unwrap_err();
    assert!(matches!(refused, StorageError::TooLarge { limit_bytes: LIMIT }));
    store.settled().await;
    assert_eq!(store.files().len(), 1);
}

#[tokio::test]
async fn a_stream_that_fails_leaves_nothing() {
    let store = Store::new();
    let pieces = stream::iter([Ok(Bytes::from(content(1_000_000))), Err("gone")]);
    let refused = store.storage.put(place(new_id()), pieces, LIMIT).await.unwrap_err();
    assert!(matches!(refused, StorageError::Interrupted));
    store.settled().await;
    assert_eq!(store.files().len(), 0);
}

#[tokio::test]
async fn an_upload_dropped_on_the_way_leaves_nothing() {
    let store = Store::new();
    let pieces = stream::iter([Ok::<_, Infallible>(Bytes::from(content(1_000_000)))]).chain(stream::pending());
    let upload = store.storage.put(place(new_id()), pieces, LIMIT);
    let begun = async {
        while store.files().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = upload => unreachable!("the stream never ends"),
        () = begun => {}
    }
    store.settled().await;
    assert_eq!(store.files().len(), 0);
}

#[tokio::test]
async fn a_file_that_is_not_kept_is_removed() {
    let store = Store::new();
    let pieces = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"short"))]);
    let stored = store.storage.put(place(new_id()), pieces, LIMIT).await.unwrap();
    assert_eq!((stored.prefix.as_slice(), store.files().len()), (&b"short"[..], 1));
    drop(stored);
    store.settled().await;
    assert_eq!(store.files().len(), 0);
}

#[tokio::test]
async fn a_changed_byte_is_refused_wherever_it_is() {
    let store = Store::new();
    let sent = content(200_000);
    let file = store.put(&sent, 50_000).await;
    let path = store.files().remove(0);
    let sealed = std::fs::read(&path).unwrap();
    for position in [0, 5, 20, 65_000, 131_500, sealed.len() - 1] {
        let mut changed = sealed.clone();
        changed[position] ^= 1;
        std::fs::write(&path, changed).unwrap();
        assert!(matches!(store.storage.read(&file).await, Err(StorageError::Tampered)), "{position}");
    }
    std::fs::write(&path, &sealed[..sealed.len() - 1]).unwrap();
    assert!(matches!(store.storage.read(&file).await, Err(StorageError::Tampered)));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(store.storage.read(&file).await, Err(StorageError::Missing)));
}

#[tokio::test]
async fn the_last_piece_waits_for_the_checksum() {
    let store = Store::new();
    let sent = content(200_000);
    let mut file = store.put(&sent, 50_000).await;
    file.sha256[0] ^= 1;
    let (mut seen, mut pieces) = (0, store.storage.get(&file).await.unwrap());
    let end = loop {
        match pieces.try_next().await {
            Ok(Some(piece)) => seen += piece.len(),
            end => break end,
        }
    };
    assert!(matches!(end, Err(StorageError::Tampered)));
    assert!(seen < sent.len());
}

#[tokio::test]
async fn another_file_or_facility_does_not_open() {
    let store = Store::new();
    let file = store.put(b"content", 7).await;
    let elsewhere = FileRef { facility: new_id(), ..file.clone() };
    assert!(matches!(store.storage.read(&elsewhere).await, Err(StorageError::Tampered)));
    let other = FileRef { file: Uuid::now_v7(), ..file };
    assert!(matches!(store.storage.read(&other).await, Err(StorageError::Tampered)));
}

#[tokio::test]
async fn old_objects_and_parts_can_be_found() {
    let store = Store::new();
    let file = store.put(b"content", 7).await;
    let part = format!("{}#1", file.object_key);
    std::fs::write(store.folder.path().join(part), b"cut off").unwrap();
    let before = |minutes| {
        chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()) + chrono::TimeDelta::minutes(minutes)
    };
    let list = |instant| store.storage.stored_before(file.facility, instant).try_collect::<Vec<_>>();
    assert_eq!(list(before(-1)).await.unwrap(), Vec::<String>::new());
    assert_eq!(list(before(1)).await.unwrap(), vec![file.object_key.clone()]);
    assert_eq!(store.storage.remove_parts_before(file.facility, before(-1)).await.unwrap(), 0);
    assert_eq!(store.storage.remove_parts_before(file.facility, before(1)).await.unwrap(), 1);
    assert_eq!(store.storage.remove_parts_before(new_id(), before(1)).await.unwrap(), 0);
    store.storage.delete(&file.object_key).await.unwrap();
    store.storage.delete(&file.object_key).await.unwrap();
    assert_eq!(store.files().len(), 0);
}
