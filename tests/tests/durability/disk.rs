//! A disk that can be slow, fail or be full under a server.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::time::Duration;

use anyhow::ensure;
use axon_tests::{Place, Said, Serve};

/// The server with `tests/fdatasync.c` before its system calls.
pub(crate) struct Disk {
    shared: File,
    library: String,
    file: String,
    store: String,
}

impl Disk {
    pub(crate) fn make(place: &Place) -> anyhow::Result<Self> {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/fdatasync.c");
        let library = place.file("fdatasync.so").display().to_string();
        let built =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o", &library, source, "-ldl"]).output()?;
        ensure!(built.status.success(), "cc: {}", String::from_utf8_lossy(&built.stderr));
        place.write("sync", &"\0".repeat(56))?;
        let shared = File::options().read(true).write(true).open(place.file("sync"))?;
        // As the kernel tells where a file is.
        let store = place.path().canonicalize()?.join("axon.db").display().to_string();
        Ok(Self { shared, library, file: place.file("sync").display().to_string(), store })
    }

    pub(crate) async fn serve(&self, place: &Place) -> anyhow::Result<Serve> {
        Serve::start_in(place, &self.environment()).await
    }

    /// One command beside it, over the same disk.
    pub(crate) async fn axon(&self, place: &Place, arguments: &[&str]) -> anyhow::Result<Said> {
        axon_tests::run(place.path(), arguments, &self.environment()).await
    }

    fn environment(&self) -> [(&str, &str); 3] {
        [("LD_PRELOAD", &self.library), ("AXON_TEST_SYNC", &self.file), ("AXON_TEST_STORE_FILE", &self.store)]
    }

    pub(crate) fn get(&self, field: u64) -> anyhow::Result<u64> {
        let mut bytes = [0; 8];
        self.shared.read_exact_at(&mut bytes, field * 8)?;
        Ok(u64::from_ne_bytes(bytes))
    }

    fn set(&self, field: u64, value: u64) -> anyhow::Result<()> {
        Ok(self.shared.write_all_at(&value.to_ne_bytes(), field * 8)?)
    }

    pub(crate) fn logs(&self) -> anyhow::Result<u64> {
        self.get(0)
    }

    pub(crate) fn slow(&self, by: Duration) -> anyhow::Result<()> {
        self.set(3, u64::try_from(by.as_micros())?)
    }

    pub(crate) fn fail(&self, fail: bool) -> anyhow::Result<()> {
        self.set(4, u64::from(fail))
    }

    /// From now on the disk has no room for the store, until it is told again.
    pub(crate) fn full(&self, full: bool) -> anyhow::Result<()> {
        self.set(5, u64::from(full))
    }

    /// How many writes were refused for want of room.
    pub(crate) fn refused(&self) -> anyhow::Result<u64> {
        self.get(6)
    }
}
