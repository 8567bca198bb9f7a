//! Files of a record that may have been packed to take less room: `gzip FILE.jsonl`.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

/// What a file holds, or, where there is `FILE.gz` in its place, what that one holds unpacked.
///
/// # Errors
/// Neither can be read; what is told of is the file that was tried.
pub(super) fn contents(path: &Path) -> Result<Vec<u8>, (PathBuf, io::Error)> {
    let mut packed = path.as_os_str().to_owned();
    packed.push(".gz");
    let packed = PathBuf::from(packed);
    match path.exists() || !packed.exists() {
        true => fs::read(path).map_err(|error| (path.to_owned(), error)),
        false => unpacked(&packed).map_err(|error| (packed, error)),
    }
}

fn unpacked(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    MultiGzDecoder::new(BufReader::new(File::open(path)?)).read_to_end(&mut bytes)?;
    Ok(bytes)
}
