//! A column of a table: a name, a type, and an optional value for each row.

use std::borrow::Cow;

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column<'a> {
    /// Its name, including the unit if there is one.
    pub name: &'static str,
    /// Its values, one for each row.
    pub values: Values<'a>,
}

/// The values of a column; `None` for a missing value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values<'a> {
    Text(Vec<Option<Cow<'a, str>>>),
    /// Signed, so that differences of counts in a data frame do not wrap around.
    Count(Vec<Option<i64>>),
    /// Identifiers that are numbers, seeds and questions, which use all 64 bits.
    Key(Vec<Option<u64>>),
    Number(Vec<Option<f64>>),
    Flag(Vec<Option<bool>>),
    Texts(Vec<Option<&'a [String]>>),
    Numbers(Vec<Option<&'a [f64]>>),
}

/// The number of rows of columns.
pub(super) fn rows(columns: &[Column]) -> usize {
    columns.first().map_or(0, |column| column.values.len())
}

impl<'a> Column<'a> {
    fn new(name: &'static str, values: Values<'a>) -> Self {
        Column { name, values }
    }

    pub fn text<R, T: Into<Cow<'a, str>>>(
        name: &'static str,
        rows: &[R],
        of: impl Fn(&R) -> Option<T>,
    ) -> Self {
        let values = rows.iter().map(|row| of(row).map(T::into));
        Column::new(name, Values::Text(values.collect()))
    }

    pub fn count<R, T: TryInto<i64>>(
        name: &'static str,
        rows: &[R],
        of: impl Fn(&R) -> Option<T>,
    ) -> Self {
        // No real count or size is near the limit.
        let signed = |count: T| count.try_into().unwrap_or(i64::MAX);
        let values = rows.iter().map(|row| of(row).map(signed));
        Column::new(name, Values::Count(values.collect()))
    }

    pub fn key<R>(name: &'static str, rows: &[R], of: impl Fn(&R) -> Option<u64>) -> Self {
        Column::new(name, Values::Key(rows.iter().map(of).collect()))
    }

    pub fn number<R>(name: &'static str, rows: &[R], of: impl Fn(&R) -> Option<f64>) -> Self {
        Column::new(name, Values::Number(rows.iter().map(of).collect()))
    }

    pub fn flag<R>(name: &'static str, rows: &[R], of: impl Fn(&R) -> Option<bool>) -> Self {
        Column::new(name, Values::Flag(rows.iter().map(of).collect()))
    }

    pub fn texts<R>(
        name: &'static str,
        rows: &[R],
        of: impl Fn(&R) -> Option<&'a [String]>,
    ) -> Self {
        Column::new(name, Values::Texts(rows.iter().map(of).collect()))
    }

    pub fn numbers<R>(
        name: &'static str,
        rows: &[R],
        of: impl Fn(&R) -> Option<&'a [f64]>,
    ) -> Self {
        Column::new(name, Values::Numbers(rows.iter().map(of).collect()))
    }
}

impl Values<'_> {
    /// The number of rows.
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
