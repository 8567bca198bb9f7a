//! A column of a table: a name, a type, and a value or none for each row.

use std::borrow::Cow;

/// One column of some rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column<'a> {
    /// Its name, with the unit where there is one.
    pub name: &'static str,
    /// Its values, one a row.
    pub values: Values<'a>,
}

/// The values of a column; `None` where a row has none.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values<'a> {
    Text(Vec<Option<Cow<'a, str>>>),
    /// Signed, so that differences of counts are not taken modulo 2⁶⁴ in a data frame.
    Count(Vec<Option<i64>>),
    /// Names that are numbers: seeds and questions, which take all 64 bits.
    Key(Vec<Option<u64>>),
    Number(Vec<Option<f64>>),
    Flag(Vec<Option<bool>>),
    Texts(Vec<Option<&'a [String]>>),
    Numbers(Vec<Option<&'a [f64]>>),
}

/// How many rows columns have.
pub(super) fn rows(columns: &[Column]) -> usize {
    columns.first().map_or(0, |column| column.values.len())
}

impl<'a> Column<'a> {
    pub fn text<R, T: Into<Cow<'a, str>>>(
        name: &'static str,
        rows: &[R],
        of: impl Fn(&R) -> Option<T>,
    ) -> Self {
        let values = rows.iter().map(|row| of(row).map(T::into)).collect();
        Column {
            name,
            values: Values::Text(values),
        }
    }

    pub fn count<R, T: TryInto<i64>>(
        name: &'static str,
        rows: &[R],
        of: impl Fn(&R) -> Option<T>,
    ) -> Self {
        // No count or size of anything that exists is near the limit.
        let signed = |count: T| count.try_into().unwrap_or(i64::MAX);
        let values = rows.iter().map(|row| of(row).map(signed)).collect();
        Column {
            name,
            values: Values::Count(values),
        }
    }

    pub fn key<R>(name: &'static str, rows: &[R], of: impl Fn(&R) -> Option<u64>) -> Self {
        Column {
            name,
            values: Values::Key(rows.iter().map(of).collect()),
        }
    }

    pub fn number<R>(name: &'static str, rows: &[R], of: impl Fn(&R) -> Option<f64>) -> Self {
        Column {
            name,
            values: Values::Number(rows.iter().map(of).collect()),
        }
    }

    pub fn flag<R>(name: &'static str, rows: &[R], of: impl Fn(&R) -> Option<bool>) -> Self {
        Column {
            name,
            values: Values::Flag(rows.iter().map(of).collect()),
        }
    }

    pub fn texts<R>(
        name: &'static str,
        rows: &[R],
        of: impl Fn(&R) -> Option<&'a [String]>,
    ) -> Self {
        Column {
            name,
            values: Values::Texts(rows.iter().map(of).collect()),
        }
    }

    pub fn numbers<R>(
        name: &'static str,
        rows: &[R],
        of: impl Fn(&R) -> Option<&'a [f64]>,
    ) -> Self {
        Column {
            name,
            values: Values::Numbers(rows.iter().map(of).collect()),
        }
    }
}

impl Values<'_> {
    /// How many rows there are.
    fn len(&self) -> usize {
        match self {
            Values::Text(values) => values.len(),
            Values::Count(values) => values.len(),
            Values::Key(values) => values.len(),
            Values::Number(values) => values.len(),
            Values::Flag(values) => values.len(),
            Values::Texts(values) => values.len(),
            Values::Numbers(values) => values.len(),
        }
    }
}
