//! The fields in which two serialisable values differ.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::error::StoreError;

/// A field and its two values, as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub field: String,
    pub first: String,
    pub second: String,
}

impl Difference {
    /// That a file, whose value is the first, belongs to another run than the wanted one.
    pub(crate) fn in_file(self, path: &Path) -> StoreError {
        StoreError::OtherCell {
            path: path.to_owned(),
            field: self.field,
            wanted: self.second,
            found: self.first,
        }
    }
}

/// The first difference in the order of the sorted field names, if any. Numbers that agree to a relative 1e-12 count
/// as equal, since writing and reading a decimal may change its last bit.
pub fn first<T: Serialize>(one: &T, other: &T) -> Option<Difference> {
    all(one, other).into_iter().next()
}

/// Every difference, in the order of the sorted field names.
pub fn all<T: Serialize>(one: &T, other: &T) -> Vec<Difference> {
    let plain = |data: &T| serde_json::to_value(data).expect("plain data has a JSON form");
    let mut found = Vec::new();
    within("", &plain(one), &plain(other), &mut found);
    found
}

fn within(field: &str, one: &Value, other: &Value, found: &mut Vec<Difference>) {
    match (one, other) {
        (Value::Object(first), Value::Object(second)) => {
            let mut names: Vec<&String> = first.keys().chain(second.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                let inner = if field.is_empty() {
                    name.clone()
                } else {
                    format!("{field}.{name}")
                };
                let value = |map: &serde_json::Map<String, Value>| {
                    map.get(name).cloned().unwrap_or(Value::Null)
                };
                within(&inner, &value(first), &value(second), found);
            }
        }
        // In lists of objects, the path names the index of the object that differs.
        (Value::Array(first), Value::Array(second))
            if first.len() == second.len() && first.iter().any(Value::is_object) =>
        {
            for (at, (one, other)) in first.iter().zip(second).enumerate() {
                within(&format!("{field}[{at}]"), one, other, found);
            }
        }
        (Value::Number(first), Value::Number(second)) if close(first, second) => {}
        _ if one == other => {}
        _ => found.push(Difference {
            field: field.to_owned(),
            first: one.to_string(),
            second: other.to_string(),
        }),
    }
}

fn close(one: &serde_json::Number, other: &serde_json::Number) -> bool {
    if let (Some(one), Some(other)) = (one.as_u64(), other.as_u64()) {
        return one == other;
    }
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => (one - other).abs() <= 1e-12 * one.abs().max(other.abs()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_difference_is_named_with_its_path() {
        let one = json!({"a": 1, "b": {"c": [1, 2], "d": 0.1}});
        assert_eq!(first(&one, &one), None);
        let other = json!({"a": 1, "b": {"c": [1, 3], "d": 0.1}});
        let difference = first(&one, &other).expect("c differs");
        assert_eq!(difference.field, "b.c");
        assert_eq!(
            (difference.first.as_str(), difference.second.as_str()),
            ("[1,2]", "[1,3]")
        );
        let absent = json!({"a": 1, "b": {"c": [1, 2]}});
        assert_eq!(first(&one, &absent).expect("d is absent").second, "null");
    }

    #[test]
    fn a_last_bit_does_not_count_as_a_difference_but_a_seed_does() {
        assert_eq!(first(&json!({"x": 0.3}), &json!({"x": 0.1 + 0.2})), None);
        assert!(first(&json!({"x": u64::MAX}), &json!({"x": u64::MAX - 1})).is_some());
    }
}
