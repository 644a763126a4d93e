//! One file of a role map, read within bounds.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, bail};

/// The most bytes that are taken from a file. What is over the language's own bound is still told by its size.
const MOST: u64 = 64 * 1024 * 1024;

/// The text of a file of a role map. What is no text is told with its place.
pub fn read(path: &Path) -> anyhow::Result<String> {
    let cannot = || format!("cannot read the role map {}", path.display());
    // A pipe or a device may have no end, or never begin.
    if !std::fs::metadata(path).with_context(cannot)?.is_file() {
        bail!("{}: it is no file", cannot());
    }
    let file = File::open(path).with_context(cannot)?;
    let mut bytes = Vec::new();
    file.take(MOST + 1).read_to_end(&mut bytes).with_context(cannot)?;
    if bytes.len() as u64 > MOST {
        bail!("{}: it has over {MOST} bytes", cannot());
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.split(|byte| *byte == b'\n').count();
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
        anyhow::anyhow!(
            "{}:{line}:{column}: the bytes here are no UTF-8: save the file as UTF-8",
            path.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_told_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.yaml");
        std::fs::write(&path, b"axon: 1\n# \xc3\xa9 \xff\n").unwrap();
        let told = read(&path).unwrap_err().to_string();
        assert!(told.contains("m.yaml:2:5: the bytes here are no UTF-8"), "{told}");
        std::fs::write(&path, "axon: 1\n").unwrap();
        assert_eq!(read(&path).unwrap(), "axon: 1\n");
        for other in [folder.path().to_owned(), folder.path().join("none.yaml")] {
            let told = format!("{:#}", read(&other).unwrap_err());
            assert!(told.starts_with("cannot read the role map"), "{told}");
        }
    }
}
