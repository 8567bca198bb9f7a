//! NumPy's `.npy`, the format in which google-research/prompt-tuning saves its prompts: float32, `[P, D]`,
//! row-major.
//!
//! The format is that of NumPy's `numpy/lib/format.py`, versions 1 to 3. Nothing is ever unpickled.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::SavedError;
use crate::tuning::soft_prompt::Vectors;

/// The first bytes of every such file.
pub const MAGIC: &[u8] = b"\x93NUMPY";

/// The data start at a multiple of this.
const ALIGNMENT: usize = 64;

/// Little-endian float32.
const DTYPE: &str = "<f4";

/// Parses the bytes of a `.npy`; errors refer to it as `path`.
///
/// # Errors
/// It is truncated, or not a C-ordered, little-endian float32 matrix.
pub fn parse(bytes: &[u8], path: &Path) -> Result<Vectors, SavedError> {
    let wrong = |wanted: &str, found: String| SavedError::wrong(path, wanted, found);
    let (header, data) = split(bytes, path)?;
    let header = String::from_utf8_lossy(header);
    let fields = fields(&header)
        .ok_or_else(|| wrong("the header of a .npy", format!("'{}'", header.trim_end())))?;
    let field = |name: &str| {
        fields.get(name).copied().ok_or_else(|| {
            wrong(
                &format!("'{name}' in the header of a .npy"),
                header.trim_end().to_string(),
            )
        })
    };
    let dtype = field("descr")?;
    if dtype.trim_matches(['\'', '"']) != DTYPE {
        return Err(wrong(
            "dtype '<f4', little-endian float32 (numpy.save(PATH, prompt.astype('<f4')))",
            format!("dtype {dtype}{}", kind(dtype)),
        ));
    }
    let order = field("fortran_order")?;
    if order != "False" {
        return Err(wrong(
            "C order (numpy.save(PATH, numpy.ascontiguousarray(prompt)))",
            format!("fortran_order {order}"),
        ));
    }
    let text = field("shape")?;
    let shape = shape(text).ok_or_else(|| wrong("a shape", text.to_string()))?;
    let &[length, width] = shape.as_slice() else {
        return Err(wrong("a prompt of shape (P, D)", format!("shape {text}")));
    };
    let size = length
        .checked_mul(width)
        .and_then(|count| count.checked_mul(4));
    if size != Some(data.len()) {
        return Err(wrong(
            &format!("the {length} × {width} × 4 bytes that its header states"),
            format!("{} bytes", data.len()),
        ));
    }
    let values = data
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    Vectors::new(&shape, values, path)
}

/// The bytes of a `.npy` file, identical to those of `numpy.save`.
pub fn to_bytes(vectors: &Vectors) -> Vec<u8> {
    let (length, width) = (vectors.length(), vectors.width());
    let mut header =
        format!("{{'descr': '{DTYPE}', 'fortran_order': False, 'shape': ({length}, {width}), }}");
    // The header follows the magic, the version and its own length, and ends with a newline.
    let before = MAGIC.len() + 4;
    let end = (before + header.len() + 1).next_multiple_of(ALIGNMENT);
    header.extend(std::iter::repeat_n(' ', end - before - header.len() - 1));
    header.push('\n');
    let size = u16::try_from(header.len()).expect("two numbers fit into a short header");
    let mut bytes = [MAGIC, &[1, 0], &size.to_le_bytes(), header.as_bytes()].concat();
    bytes.extend(vectors.values().iter().flat_map(|v| v.to_le_bytes()));
    bytes
}

/// Splits a file into header and data.
fn split<'a>(bytes: &'a [u8], path: &Path) -> Result<(&'a [u8], &'a [u8]), SavedError> {
    let wrong = |wanted: &str, found: String| SavedError::wrong(path, wanted, found);
    let cut = || {
        wrong(
            "a whole .npy",
            format!("{} bytes, its header cut off", bytes.len()),
        )
    };
    let rest = bytes
        .strip_prefix(MAGIC)
        .ok_or_else(|| wrong("a .npy", "another file".to_string()))?;
    let (version, rest) = rest.split_at_checked(2).ok_or_else(cut)?;
    let (size, rest) = match version[0] {
        1 => {
            let (size, rest) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
            (usize::from(u16::from_le_bytes(*size)), rest)
        }
        2 | 3 => {
            let (size, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
            (u32::from_le_bytes(*size) as usize, rest)
        }
        other => {
            return Err(wrong(
                "version 1, 2 or 3 of .npy",
                format!("version {other}"),
            ));
        }
    };
    rest.split_at_checked(size).ok_or_else(cut)
}

/// The entries of a Python dictionary literal; values are not parsed.
fn fields(header: &str) -> Option<BTreeMap<&str, &str>> {
    let inside = header.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut fields = BTreeMap::new();
    for entry in at_top_level(inside, ',') {
        if entry.trim().is_empty() {
            continue;
        }
        let (key, value) = entry.split_once(':')?;
        fields.insert(key.trim().trim_matches(['\'', '"']), value.trim());
    }
    Some(fields)
}

/// Splits a text at separators outside of brackets.
fn at_top_level(text: &str, separator: char) -> Vec<&str> {
    let (mut depth, mut start, mut pieces) = (0_i32, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            c if c == separator && depth == 0 => {
                pieces.push(&text[start..at]);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    pieces.push(&text[start..]);
    pieces
}

/// `(100, 768)` → 100, 768.
fn shape(text: &str) -> Option<Vec<usize>> {
    let inside = text.strip_prefix('(')?.strip_suffix(')')?;
    inside
        .split(',')
        .map(str::trim)
        .filter(|number| !number.is_empty())
        .map(|number| number.parse().ok())
        .collect()
}

/// A description of a dtype that a prompt may plausibly have.
fn kind(dtype: &str) -> &'static str {
    match dtype.trim_matches(['\'', '"']) {
        "<f8" => " (float64)",
        "<f2" => " (float16)",
        ">f4" => " (big-endian float32)",
        "|V2" => " (raw bytes, perhaps bfloat16)",
        "|O" => " (pickled objects, which are never read)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors() -> Vectors {
        let values = vec![0.5, -1.0, 2.0, 3.5, 1e-30, -7.25];
        Vectors::new(&[2, 3], values, Path::new("p.npy")).expect("finite")
    }

    /// A version 1 file with this header and these data.
    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let size = (header.len() as u16).to_le_bytes();
        [MAGIC, &[1, 0], &size, header.as_bytes(), data].concat()
    }

    fn header(descr: &str, order: &str, shape: &str) -> String {
        format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n")
    }

    fn refused(bytes: &[u8]) -> String {
        let error = parse(bytes, Path::new("p.npy")).expect_err("must be refused");
        let text = error.to_string();
        assert!(text.starts_with("p.npy: wanted "), "{text}");
        text
    }

    #[test]
    fn writing_and_reading_are_inverse_and_match_numpy() {
        let bytes = to_bytes(&vectors());
        assert_eq!(parse(&bytes, Path::new("p.npy")).expect("ours"), vectors());
        // numpy 2.4.6: numpy.save of the same matrix.
        let numpys = "\u{93}NUMPY\u{1}\u{0}v\u{0}{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
        let start: Vec<u8> = numpys.chars().map(|c| c as u8).collect();
        assert!(bytes.starts_with(&start));
        assert_eq!(bytes.len(), 128 + 2 * 3 * 4);
        assert_eq!(bytes[127], b'\n');
    }

    #[test]
    fn versions_2_and_3_have_a_longer_size() {
        let header = header("'<f4'", "False", "(1, 2)");
        for version in [2, 3] {
            let size = (header.len() as u32).to_le_bytes();
            let data = [1.5f32.to_le_bytes(), 2.5f32.to_le_bytes()].concat();
            let bytes = [MAGIC, &[version, 0], &size, header.as_bytes(), &data].concat();
            let read = parse(&bytes, Path::new("p.npy")).expect("a valid file");
            assert_eq!((read.length(), read.values()), (1, &[1.5, 2.5][..]));
        }
    }

    #[test]
    fn other_types_orders_and_shapes_are_named() {
        let data = [0; 48];
        for (descr, order, shape, found) in [
            ("'<f8'", "False", "(2, 3)", "'<f8' (float64)"),
            ("'<f2'", "False", "(2, 3)", "'<f2' (float16)"),
            ("'>f4'", "False", "(2, 3)", "'>f4' (big-endian float32)"),
            ("'|O'", "False", "(2, 3)", "pickled objects"),
            (
                "[('a', '<f4'), ('b', '<f4')]",
                "False",
                "(2,)",
                "dtype [('a'",
            ),
            ("'<f4'", "True", "(2, 3)", "fortran_order True"),
            ("'<f4'", "False", "(12,)", "shape (12,)"),
            ("'<f4'", "False", "()", "shape ()"),
            ("'<f4'", "False", "(2, 3, 2)", "shape (2, 3, 2)"),
            ("'<f4'", "False", "(-2, 3)", "(-2, 3)"),
            ("'<f4'", "False", "(3, 5)", "48 bytes"),
            ("'<f4'", "False", "(4611686018427387904, 8)", "48 bytes"),
        ] {
            let text = refused(&file(&header(descr, order, shape), &data));
            assert!(text.contains(found), "{text}");
        }
        assert!(refused(&file(&header("'<f4'", "False", "(0, 12)"), &[])).contains("[0, 12]"));
        assert!(refused(&file("{'descr': '<f4'}", &data)).contains("fortran_order"));
        assert!(refused(&file("nonsense", &data)).contains("nonsense"));
        assert!(refused(&[MAGIC, &[9, 0, 0, 0]].concat()).contains("version 9"));
        let nan = file(&header("'<f4'", "False", "(1, 1)"), &f32::NAN.to_le_bytes());
        assert!(refused(&nan).contains("NaN in row 0, column 0"));
    }

    #[test]
    fn no_truncated_file_panics_or_is_read() {
        let bytes = to_bytes(&vectors());
        for length in MAGIC.len()..bytes.len() {
            refused(&bytes[..length]);
        }
        refused(&[bytes.as_slice(), &[0]].concat());
    }
}
