//! Some rows of a parquet file as text and integers.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, ListArray, RecordBatch};
use arrow::compute::{CastOptions, cast, cast_with_options, filter_record_batch};
use arrow::datatypes::{DataType, Field, Fields, Float64Type, Int64Type};

use super::error::TableError;

/// Some rows of a file.
pub struct Batch {
    pub(super) file: String,
    /// Each row's index in its file.
    pub(super) places: Vec<usize>,
    /// The number of rows in the files before this one.
    pub(super) before: usize,
    pub(super) columns: RecordBatch,
}

const TEXT: &str = "text";
const NAME: &str = "text or an integer";
const TEXT_LIST: &str = "a list of texts";
const BOOLEAN: &str = "true or false";
const INTEGER: &str = "an integer";
const NUMBER: &str = "a number";
const INTEGER_LIST: &str = "a list of integers";
const SPAN_LIST: &str = "a list of spans";

/// The pairs (first, second) of a struct of two lists.
pub type Spans = Vec<(i64, i64)>;

impl Batch {
    /// The file's name.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The index in its file of one of this batch's rows.
    pub fn place(&self, row: usize) -> usize {
        self.places[row]
    }

    /// The index of one of this batch's rows across all files of its split.
    pub fn number(&self, row: usize) -> usize {
        self.before + self.place(row)
    }

    /// The same rows, with indices offset by this many rows of preceding files.
    pub fn behind(self, rows: usize) -> Batch {
        Batch {
            before: rows,
            ..self
        }
    }

    /// The rows for which `keep` is true, in order; `keep` has one entry for each row.
    pub fn only(self, keep: Vec<bool>) -> Batch {
        let places = self.places.iter().zip(&keep);
        let places = places.filter(|(_, keep)| **keep);
        let places = places.map(|(place, _)| *place).collect();
        let columns = filter_record_batch(&self.columns, &BooleanArray::from(keep))
            .expect("there is one for each row");
        Batch {
            places,
            columns,
            ..self
        }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.columns.num_rows()
    }

    /// The type of a column that was read; a dotted name is a field, as in
    /// [`Table::batches`](super::Table::batches).
    fn kind(&self, column: &str) -> Option<DataType> {
        find(self.columns.schema_ref().fields(), column)
    }

    /// Whether a column was read.
    pub fn has(&self, column: &str) -> bool {
        self.kind(column).is_some()
    }

    /// Whether a column holds lists.
    pub fn is_list(&self, column: &str) -> bool {
        (self.kind(column)).is_some_and(|kind| items(&kind).is_some())
    }

    /// Whether a column holds text.
    pub fn is_text(&self, column: &str) -> bool {
        self.kind(column).is_some_and(|kind| is_text(&kind))
    }

    /// Whether a column holds booleans.
    pub fn is_boolean(&self, column: &str) -> bool {
        self.kind(column) == Some(DataType::Boolean)
    }

    /// Whether the dots are part of a column's own name, as in a flattened table, rather than a path to a
    /// field.
    pub fn is_flat(&self, column: &str) -> bool {
        self.columns.column_by_name(column).is_some()
    }

    /// A column of text.
    pub fn texts(&self, column: &str) -> Result<Vec<String>, TableError> {
        self.texts_or_nulls(column)?
            .into_iter()
            .enumerate()
            .map(|(row, text)| text.ok_or_else(|| self.null(column, TEXT, row)))
            .collect()
    }

    /// A column of texts, `None` where null.
    pub fn texts_or_nulls(&self, column: &str) -> Result<Vec<Option<String>>, TableError> {
        let (array, _) = self.column(column, TEXT)?;
        as_texts(&array).ok_or_else(|| self.wrong_type(column, TEXT, &array))
    }

    /// A column of names, `None` where null: text, or integers as digits.
    pub fn names(&self, column: &str) -> Result<Vec<Option<String>>, TableError> {
        if self.is_text(column) {
            return self.texts_or_nulls(column);
        }
        let (array, _) = self.column(column, NAME)?;
        let numbers = self.whole(column, NAME, &array)?.into_iter();
        Ok(numbers
            .map(|name| name.map(|name| name.to_string()))
            .collect())
    }

    /// A column of booleans, `None` where null.
    pub fn booleans(&self, column: &str) -> Result<Vec<Option<bool>>, TableError> {
        let (array, _) = self.column(column, BOOLEAN)?;
        let booleans = array.as_boolean_opt();
        let booleans = booleans.ok_or_else(|| self.wrong_type(column, BOOLEAN, &array))?;
        Ok(booleans.iter().collect())
    }

    /// A column of lists of texts.
    pub fn text_lists(&self, column: &str) -> Result<Vec<Vec<String>>, TableError> {
        self.lists(column, TEXT_LIST)?
            .into_iter()
            .enumerate()
            .map(|(row, list)| {
                let wrong_type = || self.wrong_item(column, TEXT_LIST, &list);
                as_texts(&list)
                    .ok_or_else(wrong_type)?
                    .into_iter()
                    .map(|text| text.ok_or_else(|| self.null(column, TEXT_LIST, row)))
                    .collect()
            })
            .collect()
    }

    /// A column of lists of integers, `None` for null items; a null list is read as empty.
    pub fn integer_lists(&self, column: &str) -> Result<Vec<Vec<Option<i64>>>, TableError> {
        let (array, present) = self.column(column, INTEGER_LIST)?;
        as_lists(&array)
            .ok_or_else(|| self.wrong_type(column, INTEGER_LIST, &array))?
            .into_iter()
            .zip(present)
            .enumerate()
            .map(|(row, (list, present))| {
                let Some(list) = list.filter(|_| present) else {
                    return Ok(Vec::new());
                };
                as_integers(&list)
                    .ok_or_else(|| self.wrong_item(column, INTEGER_LIST, &list))?
                    .map_err(|(_, found)| self.fraction(column, row, found))
            })
            .collect()
    }

    /// A column of lists of structs of two equally long lists of integers, `first` and `second`: for each row
    /// and each struct, the pairs of both lists.
    pub fn span_lists(
        &self,
        column: &str,
        first: &str,
        second: &str,
    ) -> Result<Vec<Vec<Spans>>, TableError> {
        self.lists(column, SPAN_LIST)?
            .into_iter()
            .enumerate()
            .map(|(row, list)| {
                let wrong_type = || self.wrong_item(column, SPAN_LIST, &list);
                let null = || self.null(column, SPAN_LIST, row);
                let fields = list.as_struct_opt().ok_or_else(wrong_type)?;
                let side = |name: &str| -> Result<Vec<Vec<i64>>, TableError> {
                    let lists = fields.column_by_name(name).ok_or_else(wrong_type)?;
                    as_lists(lists)
                        .ok_or_else(wrong_type)?
                        .into_iter()
                        .map(|list| {
                            let list = list.ok_or_else(null)?;
                            as_integers(&list)
                                .ok_or_else(wrong_type)?
                                .map_err(|(_, found)| self.fraction(column, row, found))?
                                .into_iter()
                                .map(|place| place.ok_or_else(null))
                                .collect()
                        })
                        .collect()
                };
                let sides = side(first)?.into_iter().zip(side(second)?);
                Ok(sides
                    .map(|(firsts, seconds)| firsts.into_iter().zip(seconds).collect())
                    .collect())
            })
            .collect()
    }

    /// A column of lists; null lists are an error.
    fn lists(&self, column: &str, wanted: &'static str) -> Result<Vec<ArrayRef>, TableError> {
        let (array, present) = self.column(column, wanted)?;
        as_lists(&array)
            .ok_or_else(|| self.wrong_type(column, wanted, &array))?
            .into_iter()
            .zip(present)
            .enumerate()
            .map(|(row, (list, present))| {
                let list = list.filter(|_| present);
                list.ok_or_else(|| self.null(column, wanted, row))
            })
            .collect()
    }

    /// A column of integers, `None` where null. Whole floats are accepted: pandas converts integers with gaps to
    /// floats.
    pub fn integers(&self, column: &str) -> Result<Vec<Option<i64>>, TableError> {
        let (array, _) = self.column(column, INTEGER)?;
        self.whole(column, INTEGER, &array)
    }

    /// Whether each number of a column is at least `threshold`, `None` where null. Single-precision columns
    /// are compared in single precision, so that the float nearest to 0.7 is at least 0.7.
    ///
    /// # Errors
    /// The column is not numeric, or a value is NaN.
    pub fn at_least(&self, column: &str, threshold: f64) -> Result<Vec<Option<bool>>, TableError> {
        let (array, _) = self.column(column, NUMBER)?;
        let wrong_type = || self.wrong_type(column, NUMBER, &array);
        if !array.data_type().is_numeric() {
            return Err(wrong_type());
        }
        let threshold = match array.data_type() {
            DataType::Float32 => f64::from(threshold as f32),
            _ => threshold,
        };
        let numbers = cast(&array, &DataType::Float64).map_err(|_| wrong_type())?;
        let numbers = numbers.as_primitive::<Float64Type>();
        let compared = |(row, number): (usize, Option<f64>)| match number {
            Some(number) if number.is_nan() => {
                Err(self.value(column, row, NUMBER.to_string(), "NaN".to_string()))
            }
            number => Ok(number.map(|number| number >= threshold)),
        };
        numbers.iter().enumerate().map(compared).collect()
    }

    fn whole(
        &self,
        column: &str,
        wanted: &'static str,
        array: &ArrayRef,
    ) -> Result<Vec<Option<i64>>, TableError> {
        as_integers(array)
            .ok_or_else(|| self.wrong_type(column, wanted, array))?
            .map_err(|(row, found)| self.fraction(column, row, found))
    }

    /// The error for a float that is not a whole number.
    fn fraction(&self, column: &str, row: usize, found: f64) -> TableError {
        self.value(column, row, "a whole number".to_string(), found.to_string())
    }

    /// The error for a value that its column can't hold.
    pub fn value(&self, column: &str, row: usize, wanted: String, found: String) -> TableError {
        TableError::Value {
            file: self.file.clone(),
            column: column.to_string(),
            row: self.place(row),
            wanted,
            found,
        }
    }

    /// The error for a column of another type.
    pub fn mistyped(&self, column: &str, wanted: &'static str) -> TableError {
        match self.column(column, wanted) {
            Ok((array, _)) => self.wrong_type(column, wanted, &array),
            Err(error) => error,
        }
    }

    /// The error for a null in one of this batch's rows.
    pub fn null(&self, column: &str, wanted: &'static str, row: usize) -> TableError {
        TableError::Null {
            file: self.file.clone(),
            column: column.to_string(),
            row: self.place(row),
            wanted,
        }
    }

    /// A column by its dotted name, and for each row whether the enclosing structs are present.
    fn column(
        &self,
        column: &str,
        wanted: &'static str,
    ) -> Result<(ArrayRef, Vec<bool>), TableError> {
        let missing = || TableError::MissingColumn {
            file: self.file.clone(),
            column: column.to_string(),
            found: (self.columns.schema().fields().iter())
                .map(|field| field.name().clone())
                .collect(),
        };
        // In a flattened table, the dots are part of the columns' own names.
        if let Some(array) = self.columns.column_by_name(column) {
            return Ok((array.clone(), vec![true; self.rows()]));
        }
        let mut names = column.split('.');
        let mut array = names
            .next()
            .and_then(|name| self.columns.column_by_name(name))
            .ok_or_else(missing)?
            .clone();
        let mut present = vec![true; self.rows()];
        for name in names {
            array = if let Some(fields) = array.as_struct_opt() {
                for (row, present) in present.iter_mut().enumerate() {
                    *present &= fields.is_valid(row);
                }
                fields.column_by_name(name).ok_or_else(missing)?.clone()
            } else {
                field_of_each(&array, name)
                    .ok_or_else(|| self.wrong_type(column, wanted, &array))?
            };
        }
        Ok((array, present))
    }

    /// The error for a list with items of another type.
    fn wrong_item(&self, column: &str, wanted: &'static str, found: &ArrayRef) -> TableError {
        TableError::WrongType {
            file: self.file.clone(),
            column: column.to_string(),
            wanted,
            found: format!("List({})", found.data_type()),
        }
    }

    fn wrong_type(&self, column: &str, wanted: &'static str, found: &ArrayRef) -> TableError {
        TableError::WrongType {
            file: self.file.clone(),
            column: column.to_string(),
            wanted,
            found: found.data_type().to_string(),
        }
    }
}

/// The lists of a list array, whatever its child is called; `None` for other types.
fn as_lists(array: &ArrayRef) -> Option<Vec<Option<ArrayRef>>> {
    if let Some(lists) = array.as_list_opt::<i32>() {
        return Some(lists.iter().collect());
    }
    if let Some(lists) = array.as_fixed_size_list_opt() {
        return Some(lists.iter().collect());
    }
    let lists = array.as_list_opt::<i64>()?;
    Some(lists.iter().collect())
}

/// The lists of one field, from an array of lists of structs; `None` for other types.
fn field_of_each(array: &ArrayRef, name: &str) -> Option<ArrayRef> {
    let child = items(array.data_type())?;
    let plain = cast(array, &DataType::List(Arc::new(child.clone()))).ok()?;
    let (_, offsets, values, nulls) = plain.as_list::<i32>().clone().into_parts();
    let values = values.as_struct_opt()?.column_by_name(name)?.clone();
    let field = Field::new(child.name(), values.data_type().clone(), true);
    let lists = ListArray::try_new(Arc::new(field), offsets, values, nulls).ok()?;
    Some(Arc::new(lists))
}

/// All floats beyond this are whole numbers.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The integers of an array of integers or whole floats in any layout; `None` for other types, and the first
/// fraction with its index as an error.
#[allow(
    clippy::type_complexity,
    reason = "either the type or a value may be wrong"
)]
fn as_integers(array: &ArrayRef) -> Option<Result<Vec<Option<i64>>, (usize, f64)>> {
    match array.data_type() {
        DataType::Null => Some(Ok(vec![None; array.len()])),
        DataType::Dictionary(_, values) => as_integers(&cast(array, values).ok()?),
        kind if kind.is_floating() => {
            let floats = cast(array, &DataType::Float64).ok()?;
            let whole = |(row, float): (usize, Option<f64>)| match float {
                None => Ok(None),
                Some(float) if float.fract() == 0.0 && float.abs() <= EXACT => {
                    Ok(Some(float as i64))
                }
                Some(float) => Err((row, float)),
            };
            let floats = floats.as_primitive::<Float64Type>().iter();
            Some(floats.enumerate().map(whole).collect())
        }
        kind if kind.is_integer() => {
            // A value outside i64 is an error rather than a null.
            let strict = CastOptions {
                safe: false,
                ..CastOptions::default()
            };
            let integers = cast_with_options(array, &DataType::Int64, &strict).ok()?;
            Some(Ok(integers.as_primitive::<Int64Type>().iter().collect()))
        }
        _ => None,
    }
}

/// Whether an array holds strings, in any layout.
fn is_text(kind: &DataType) -> bool {
    match kind {
        DataType::Dictionary(_, values) => is_text(values),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        _ => false,
    }
}

/// The texts of an array of strings; `None` for other types.
fn as_texts(array: &ArrayRef) -> Option<Vec<Option<String>>> {
    if !is_text(array.data_type()) {
        return None;
    }
    let plain = cast(array, &DataType::LargeUtf8).ok()?;
    let texts = plain.as_string::<i64>().iter();
    Some(texts.map(|text| text.map(str::to_string)).collect())
}

/// The type of a field by its dotted name, looking into structs and lists of structs; a field of a list of
/// structs is a list.
pub(super) fn find(fields: &Fields, column: &str) -> Option<DataType> {
    if let Some((_, field)) = fields.find(column) {
        return Some(field.data_type().clone());
    }
    let (name, rest) = column.split_once('.')?;
    let (_, field) = fields.find(name)?;
    match (field.data_type(), items(field.data_type())) {
        (DataType::Struct(children), _) => find(children, rest),
        (_, Some(item)) => match item.data_type() {
            DataType::Struct(children) => Some(DataType::List(Arc::new(Field::new(
                item.name(),
                find(children, rest)?,
                true,
            )))),
            _ => None,
        },
        _ => None,
    }
}

/// The item type of a list; `None` for other types.
pub(super) fn items(kind: &DataType) -> Option<&Field> {
    match kind {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            Some(item)
        }
        _ => None,
    }
}
