//! The comparison as JSON, for `--json`.

use super::comparison::Comparison;

/// Comparisons as pretty JSON: scores in [0, 1], units in the keys.
pub fn json(comparisons: &[Comparison]) -> String {
    serde_json::to_string_pretty(comparisons).expect("a comparison is plain data")
}
