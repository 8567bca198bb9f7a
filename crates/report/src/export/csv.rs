//! Writes columns as CSV in UTF-8: quoted as in RFC 4180, with a line feed at the end of each row.
//!
//! A missing value is an empty field, an empty text is `""`. Lists are JSON. Numbers have enough digits to be read
//! back exactly.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use super::ExportError;
use super::column::{Column, Values, rows};
use crate::number::joined;

/// A table while it is being written.
#[derive(Debug)]
pub(super) struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Writer {
    /// Creates the file, with the columns' names as the first line.
    pub fn create(path: PathBuf, columns: &[Column]) -> Result<Writer, ExportError> {
        let header = columns.iter().map(|column| column.name);
        let begun = File::create_new(&path).and_then(|file| {
            let mut file = BufWriter::new(file);
            writeln!(file, "{}", joined(",", header))?;
            Ok(file)
        });
        match begun {
            Ok(file) => Ok(Writer { path, file }),
            Err(source) => Err(ExportError::Io { path, source }),
        }
    }

    /// Adds rows.
    pub fn write(&mut self, columns: &[Column]) -> Result<(), ExportError> {
        let mut line = String::new();
        for row in 0..rows(columns) {
            line.clear();
            for (place, column) in columns.iter().enumerate() {
                if place > 0 {
                    line.push(',');
                }
                line.push_str(&field(&column.values, row));
            }
            line.push('\n');
            let written = self.file.write_all(line.as_bytes());
            written.map_err(|source| self.failed(source))?;
        }
        Ok(())
    }

    /// Flushes the file and syncs it to disk.
    pub fn finish(mut self) -> Result<(), ExportError> {
        let written = self.file.flush();
        let written = written.and_then(|()| self.file.get_ref().sync_all());
        written.map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> ExportError {
        ExportError::Io {
            path: self.path.clone(),
            source,
        }
    }
}

/// A value as a field.
fn field(values: &Values, row: usize) -> String {
    let field = match values {
        Values::Text(values) => values[row].as_deref().map(quoted),
        Values::Count(values) => values[row].map(|value| value.to_string()),
        Values::Key(values) => values[row].map(|value| value.to_string()),
        // `Debug` rather than `Display`, which writes 1e-300 with three hundred zeros.
        Values::Number(values) => values[row].map(|value| format!("{value:?}")),
        Values::Flag(values) => values[row].map(|value| value.to_string()),
        Values::Texts(values) => values[row].map(|list| json(&list)),
        Values::Numbers(values) => values[row].map(|list| json(&list)),
    };
    field.unwrap_or_default()
}

fn json(list: &impl serde::Serialize) -> String {
    quoted(&serde_json::to_string(list).expect("plain data"))
}

/// Quotes a text that contains special characters or is empty.
fn quoted(text: &str) -> String {
    match text.is_empty() || text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_special_and_empty_texts_are_quoted() {
        for (text, wanted) in [
            ("mill", "mill"),
            (" the mill ", " the mill "),
            ("", "\"\""),
            ("a, b", "\"a, b\""),
            ("a \"mill\"", "\"a \"\"mill\"\"\""),
            ("one\ntwo", "\"one\ntwo\""),
            ("one\rtwo", "\"one\rtwo\""),
        ] {
            assert_eq!(quoted(text), wanted);
        }
    }

    #[test]
    fn numbers_are_short_and_read_back_exactly() {
        let numbers = [0.1 + 0.2, 1.0, 1e-300, -2.5e17, f64::MIN_POSITIVE];
        let values = Values::Number(numbers.map(Some).to_vec());
        for (row, number) in numbers.into_iter().enumerate() {
            let field = field(&values, row);
            assert!(field.len() < 25, "{field}");
            assert_eq!(field.parse(), Ok(number));
        }
        let list = [0.25, -1e-9];
        let values = Values::Numbers(vec![None, Some(&list)]);
        assert_eq!(field(&values, 0), "");
        assert_eq!(field(&values, 1), "\"[0.25,-1e-9]\"");
    }
}
