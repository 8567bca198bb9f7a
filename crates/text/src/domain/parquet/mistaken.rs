//! What a file is that is no parquet file, as far as its first bytes tell.

use super::error::CUT;

/// How many bytes tell.
pub(super) const FIRST: usize = 512;

/// Beginnings of files that are taken for data sets.
const BEGINNINGS: [(&[u8], &str); 10] = [
    (b"PAR1", CUT),
    (
        b"version https://git-lfs",
        "it is a Git LFS pointer instead of the file: `git lfs pull` in its repository brings the file",
    ),
    (b"ARROW1", ARROW),
    (b"\xff\xff\xff\xff", ARROW),
    (
        b"\x1f\x8b",
        "it is a gzip file: MRQA's lines are read where the name ends in .jsonl.gz, anything else unpacked",
    ),
    (b"PK\x03\x04", "it is a zip file: unpack it"),
    (b"{", JSON),
    (b"[", JSON),
    (b"<", WEB),
    (b"SQLite", "it is a database: write its table as parquet"),
];

const ARROW: &str = "it is an Arrow file, as datasets' save_to_disk and Feather write it: write it as parquet \
                     (datasets: Dataset.to_parquet)";
const JSON: &str = "it is JSON: MRQA's lines are read where the name ends in .jsonl, other JSON is to be written as \
                    parquet (datasets: load_dataset(\"json\", …) and Dataset.to_parquet)";
const WEB: &str = "it is a web page instead of the file, as a server's refusal is saved: download the file itself";
const TEXT: &str =
    "it is text, such as CSV: write it as parquet (pandas: read_csv and DataFrame.to_parquet)";

/// What a file with these first bytes is, and how to go on.
pub(super) fn advice(first: &[u8]) -> &'static str {
    let first = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first);
    let known = (BEGINNINGS.iter()).find(|(beginning, _)| first.starts_with(beginning));
    match known {
        Some((_, advice)) => advice,
        None if !first.is_empty() && is_text(first) => TEXT,
        None => CUT,
    }
}

/// Whether these are UTF-8 without control characters, but for a last character that may be cut.
fn is_text(bytes: &[u8]) -> bool {
    let whole = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    let plain = |c: char| !c.is_control() || c.is_whitespace();
    whole.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_have_instead_of_parquet_is_told_apart() {
        for (first, part) in [
            (&b"PAR1\x15\x04"[..], "cut off"),
            (
                b"version https://git-lfs.github.com/spec/v1\n",
                "git lfs pull",
            ),
            (b"ARROW1\0\0", "Arrow"),
            (b"\xff\xff\xff\xff\x10\0", "Arrow"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"{\"version\": \"1.1\"", "JSON"),
            (b"\xef\xbb\xbf[{", "JSON"),
            (b"<!DOCTYPE html>", "web page"),
            ("id,context\n1,Café".as_bytes(), "CSV"),
            (&"Café".as_bytes()[..4], "CSV"),
            (b"\0\x01\x02", "cut off"),
            (b"", "cut off"),
        ] {
            assert!(advice(first).contains(part), "{first:?}");
        }
    }
}
