//! The file that `promptshift predict` writes: one self-contained JSON object per line, so that files with
//! predictions for different rows can be concatenated.

use std::collections::HashSet;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::record::Prediction;
use crate::record::seal::json_lines;

/// One example's prediction with everything needed to score it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The domain that the example was read as.
    pub domain: String,
    /// The domain that the prompt was tuned on, whose label strings the model generates; absent without a prompt, and
    /// for a prompt of unknown origin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuned_on: Option<String>,
    /// The prediction, as in a record.
    #[serde(flatten)]
    pub prediction: Prediction,
    /// The generated tokens, including the end of sequence if it was generated within the limit.
    pub token_ids: Vec<u32>,
}

/// Errors of a predictions file.
#[derive(Debug, thiserror::Error)]
pub enum PredictionsError {
    /// It can't be read.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// A line is not a prediction.
    #[error(
        "{}, line {line}: wanted an object as promptshift predict writes it, found one with {found}",
        path.display()
    )]
    Malformed {
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        found: String,
    },
    /// Two lines are for the same row.
    #[error(
        "{}, line {line}: wanted one answer for each row of {domain}, found '{id}' again: put the lines of each \
         model into a file of its own",
        path.display()
    )]
    Repeated {
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        domain: String,
        id: String,
    },
    /// It is empty.
    #[error("{}: wanted predictions, found no line", path.display())]
    Empty { path: PathBuf },
}

/// Reads a file.
///
/// # Errors
/// It can't be read, it is empty, a line is not a prediction, or two lines are for the same row.
pub fn read(path: &Path) -> Result<Vec<Line>, PredictionsError> {
    let io = |source| PredictionsError::Io {
        path: path.to_owned(),
        source,
    };
    let file = BufReader::new(std::fs::File::open(path).map_err(io)?);
    let mut lines: Vec<Line> = Vec::new();
    let mut seen = HashSet::new();
    for (at, line) in file.lines().enumerate() {
        let malformed = |found: String| PredictionsError::Malformed {
            path: path.to_owned(),
            line: at + 1,
            found,
        };
        let line = line.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => malformed("no valid UTF-8".to_owned()),
            _ => io(error),
        })?;
        if line.trim().is_empty() {
            continue;
        }
        let line: Line = serde_json::from_str(&line).map_err(|e| malformed(e.to_string()))?;
        if !seen.insert((line.domain.clone(), line.prediction.id.clone())) {
            return Err(PredictionsError::Repeated {
                path: path.to_owned(),
                line: at + 1,
                domain: line.domain,
                id: line.prediction.id,
            });
        }
        lines.push(line);
    }
    if lines.is_empty() {
        return Err(PredictionsError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(lines)
}

/// The bytes of a file.
pub fn to_bytes(lines: &[Line]) -> Vec<u8> {
    json_lines(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{assert_has, prediction};
    use crate::record::Score;

    fn line(id: &str) -> Line {
        let score = Score::Label {
            gold: 1,
            predicted: Some(1),
        };
        Line {
            domain: "mrpc".to_string(),
            tuned_on: Some("qqp".to_string()),
            prediction: prediction(id, ["duplicate", "equivalent"], score),
            token_ids: vec![5, 1],
        }
    }

    #[test]
    fn writing_and_reading_are_inverse() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("p.jsonl");
        let mut plain = line("8");
        plain.tuned_on = None;
        let lines = vec![line("7"), plain];
        let bytes = to_bytes(&lines);
        assert!(bytes.starts_with(br#"{"domain":"mrpc","tuned_on":"qqp","id":"7","#));
        std::fs::write(&path, bytes).expect("written");
        assert_eq!(read(&path).expect("its own"), lines);
    }

    #[test]
    fn the_line_that_is_wrong_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("p.jsonl");
        let whole = to_bytes(&[line("7"), line("8")]);
        let refused = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("written");
            read(&path).expect_err("must be refused").to_string()
        };
        let text = refused(&whole[..whole.len() - 20]);
        assert_has(&text, &["p.jsonl, line 2"]);
        let text = refused(br#"{"id": "1", "prediction": "a"}"#);
        assert_has(&text, &["line 1", "missing field `domain`"]);
        let text = refused(&to_bytes(&[line("7"), line("7")]));
        assert_has(&text, &["line 2: ", "row of mrpc, found '7' again"]);
        assert!(refused(b"\n\n").contains("no line"));
        refused(&[0xff, 0xfe]);
    }
}
