//! Tables read back.

use std::fs::File;
use std::path::Path;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow::array::{
    Array, AsArray, BooleanArray, Float64Array, Int64Array, StringArray, UInt64Array,
};
use arrow::datatypes::DataType;
use serde_json::{Map, Value, json};

/// A row: values by column name.
pub(super) type Row = Map<String, Value>;

/// The columns in order, with their types as in the documentation.
pub(super) type Kinds = Vec<(String, &'static str)>;

/// Reads a table from a Parquet file.
pub(super) fn read_parquet(path: &Path) -> (Vec<Row>, Kinds) {
    let file = File::open(path).expect("written");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("parquet");
    let kind = |kind: &DataType| match kind {
        DataType::Utf8 => "string",
        DataType::Int64 => "int64",
        DataType::UInt64 => "uint64",
        DataType::Float64 => "float64",
        DataType::Boolean => "bool",
        DataType::List(inner) if inner.data_type() == &DataType::Utf8 => "list of string",
        DataType::List(inner) if inner.data_type() == &DataType::Float64 => "list of float64",
        other => panic!("{other}"),
    };
    let fields = reader.schema().fields().iter();
    let kinds = fields.map(|field| (field.name().clone(), kind(field.data_type())));
    let kinds: Kinds = kinds.collect();
    let mut rows = Vec::new();
    for batch in reader.build().expect("parquet") {
        let batch = batch.expect("a batch");
        rows.extend((0..batch.num_rows()).map(|row| {
            let columns = kinds.iter().zip(batch.columns());
            (columns.map(|((name, _), column)| (name.clone(), value(column, row)))).collect()
        }));
    }
    (rows, kinds)
}

fn value(column: &dyn Array, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    let any = column.as_any();
    if let Some(texts) = any.downcast_ref::<StringArray>() {
        json!(texts.value(row))
    } else if let Some(numbers) = any.downcast_ref::<Int64Array>() {
        json!(numbers.value(row))
    } else if let Some(numbers) = any.downcast_ref::<UInt64Array>() {
        json!(numbers.value(row))
    } else if let Some(numbers) = any.downcast_ref::<Float64Array>() {
        json!(numbers.value(row))
    } else if let Some(flags) = any.downcast_ref::<BooleanArray>() {
        json!(flags.value(row))
    } else {
        let list = column.as_list::<i32>().value(row);
        (0..list.len()).map(|at| value(&list, at)).collect()
    }
}

/// The records of RFC 4180: `None` for an empty field without quotes.
pub(super) fn parse_csv(text: &str) -> Vec<Vec<Option<String>>> {
    let mut rows = vec![Vec::new()];
    let mut rest = text;
    while !rest.is_empty() {
        let (field, end) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let mut field = String::new();
                let mut inner = quoted;
                loop {
                    let quote = inner.find('"').expect("a closing quote");
                    field.push_str(&inner[..quote]);
                    inner = &inner[quote + 1..];
                    match inner.strip_prefix('"') {
                        Some(after) => inner = after,
                        None => break (Some(field), inner),
                    }
                    field.push('"');
                }
            }
            None => {
                let end = rest.find([',', '\n']).expect("a line ends");
                let (field, end) = rest.split_at(end);
                assert!(!field.contains(['"', '\r']), "{field:?}");
                ((!field.is_empty()).then(|| field.to_owned()), end)
            }
        };
        rows.last_mut().expect("a row").push(field);
        match end.split_at(1) {
            (",", after) => rest = after,
            ("\n", after) => {
                rows.push(Vec::new());
                rest = after;
            }
            (other, _) => panic!("{other:?} after a field"),
        }
    }
    assert_eq!(rows.pop(), Some(Vec::new()), "the last line ends too");
    rows
}
