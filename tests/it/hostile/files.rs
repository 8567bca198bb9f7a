//! Builders of files for the tests of hostile input.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use arrow::array::{ArrayRef, RecordBatch};
use parquet::arrow::ArrowWriter;
use serde_json::Value;

pub use columns::{answers, integers, lists, null_texts, texts};

/// Columns by name.
pub type Columns = Vec<(&'static str, ArrayRef)>;

/// Arrow columns.
pub mod columns {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, BinaryArray, Int64Array, ListArray, StringArray, StructArray};
    use arrow::buffer::OffsetBuffer;
    use arrow::datatypes::Field;

    /// Texts.
    pub fn texts(texts: &[&str]) -> ArrayRef {
        Arc::new(StringArray::from(texts.to_vec()))
    }

    /// Texts and nulls.
    pub fn null_texts(texts: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringArray::from(texts.to_vec()))
    }

    /// Bytes.
    pub fn bytes(bytes: &[&[u8]]) -> ArrayRef {
        Arc::new(BinaryArray::from(bytes.to_vec()))
    }

    /// Integers.
    pub fn integers(integers: &[i64]) -> ArrayRef {
        Arc::new(Int64Array::from(integers.to_vec()))
    }

    /// Structs of these fields.
    pub fn structure(fields: Vec<(&str, ArrayRef)>) -> ArrayRef {
        let fields = fields.into_iter().map(|(name, array)| {
            let field = Field::new(name, array.data_type().clone(), true);
            (Arc::new(field), array)
        });
        Arc::new(StructArray::from(Vec::from_iter(fields)))
    }

    /// Lists of these lengths.
    pub fn list_of(
        values: ArrayRef,
        lengths: impl IntoIterator<Item = usize>,
        child: &str,
    ) -> ArrayRef {
        let field = Arc::new(Field::new(child, values.data_type().clone(), true));
        let offsets = OffsetBuffer::from_lengths(lengths);
        Arc::new(ListArray::new(field, offsets, values, None))
    }

    /// Lists of texts.
    pub fn lists(lists: &[&[&str]]) -> ArrayRef {
        let lengths: Vec<usize> = lists.iter().map(|list| list.len()).collect();
        list_of(texts(&lists.concat()), lengths, "item")
    }

    /// SQuAD's `answers`, each at 0.
    pub fn answers(golds: &[&[&str]]) -> ArrayRef {
        let lengths: Vec<usize> = golds.iter().map(|list| list.len()).collect();
        let starts = integers(&vec![0; lengths.iter().sum()]);
        structure(vec![
            ("text", lists(golds)),
            ("answer_start", list_of(starts, lengths, "item")),
        ])
    }
}

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Two rows of SQuAD's schema.
pub fn questions() -> Columns {
    vec![
        ("id", texts(&["a", "b"])),
        ("context", texts(&["C", "D"])),
        ("question", texts(&["What?", "Which?"])),
        ("answers", answers(&[&["C"], &["D"]])),
    ]
}

/// Two rows of MRPC's schema.
pub fn cells(labels: &[i64]) -> Columns {
    vec![
        ("sentence1", texts(&["C", "D"])),
        ("sentence2", texts(&["C", "E"])),
        ("label", integers(labels)),
    ]
}

/// `columns` with one of them replaced.
pub fn with(mut columns: Columns, column: (&'static str, ArrayRef)) -> Columns {
    for old in columns.iter_mut().filter(|old| old.0 == column.0) {
        *old = column.clone();
    }
    columns
}

/// Writes a parquet file; returns its bytes.
pub fn table(path: &Path, columns: Columns) -> Vec<u8> {
    fs::create_dir_all(path.parent().expect("a file in a folder")).expect("made");
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length");
    let file = File::create(path).expect("a new file");
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).expect("a schema");
    writer.write(&batch).expect("written");
    writer.close().expect("a footer");
    fs::read(path).expect("the file just written")
}

/// `bytes` with every `from` replaced by `to`, of the same length.
pub fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    let mut found = 0;
    for at in 0..bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
            found += 1;
        }
    }
    assert!(found > 0, "nothing to replace");
    bytes
}

/// Gzipped text.
pub fn gzip(text: &str) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(text.as_bytes()).expect("written");
    writer.finish().expect("finished")
}

/// The bundled model in the folder `model`.
pub fn model(folder: &Path) -> PathBuf {
    let copy = folder.join("model");
    fs::create_dir(&copy).expect("made");
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        fs::copy(root().join("models/nano").join(file), copy.join(file)).expect("bundled");
    }
    copy
}

/// The model with a part of its configuration replaced.
pub fn with_config(folder: &Path, from: &str, to: &str) {
    let path = model(folder).join("config.json");
    let text = fs::read_to_string(&path).expect("copied");
    assert!(text.contains(from), "{from}");
    fs::write(path, text.replace(from, to)).expect("written");
}

/// The model with another tokenizer.
pub fn with_json(folder: &Path, change: impl Fn(&mut Value)) {
    let path = model(folder).join("tokenizer.json");
    let mut json = serde_json::from_slice(&fs::read(&path).expect("copied")).expect("JSON");
    change(&mut json);
    fs::write(path, json.to_string()).expect("written");
}

/// The model with another header or data of its weights.
pub fn with_tensors(folder: &Path, change: impl Fn(&mut Value, &mut Vec<u8>)) {
    let path = model(folder).join("model.safetensors");
    let bytes = fs::read(&path).expect("copied");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes")) as usize;
    let mut header = serde_json::from_slice(&bytes[8..8 + length]).expect("JSON");
    let mut data = bytes[8 + length..].to_vec();
    change(&mut header, &mut data);
    let header = header.to_string();
    let length = (header.len() as u64).to_le_bytes();
    fs::write(path, [&length[..], header.as_bytes(), &data].concat()).expect("written");
}

/// A model whose weights are a pickle that would create a file `ran`, packed by `pack`.
pub fn pickle(model: &Path, pack: impl Fn(&[u8]) -> Vec<u8>) {
    fs::remove_file(model.join("model.safetensors")).expect("copied");
    let bytes = pack(b"\x80\x02cposix\nsystem\nX\x09\x00\x00\x00touch ran\x85R.");
    fs::write(model.join("pytorch_model.bin"), bytes).expect("written");
}

/// An uncompressed zip of these files.
pub fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, data) in files {
        let mut crc = flate2::Crc::new();
        crc.update(data);
        let size = (data.len() as u32).to_le_bytes();
        let shared = [
            &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &crc.sum().to_le_bytes(),
            &size,
            &size,
            &(name.len() as u16).to_le_bytes(),
            &[0, 0],
        ]
        .concat();
        let at = (bytes.len() as u32).to_le_bytes();
        bytes.extend([b"PK\x03\x04", &shared[..], name.as_bytes(), data].concat());
        let behind = [&[0; 10][..], &at, name.as_bytes()].concat();
        directory.extend([b"PK\x01\x02\x14\x00", &shared[..], &behind].concat());
    }
    let count = (files.len() as u16).to_le_bytes();
    let end = [
        b"PK\x05\x06\0\0\0\0",
        &count[..],
        &count,
        &(directory.len() as u32).to_le_bytes(),
        &(bytes.len() as u32).to_le_bytes(),
        &[0, 0],
    ]
    .concat();
    [bytes, directory, end].concat()
}

/// The bytes of a `.npy` with this header.
pub fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let size = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &size[..], header.as_bytes(), data].concat()
}

/// A user's card, `my.toml`, with a part replaced.
pub fn card(folder: &Path, from: &str, to: &str) {
    let card = r#"name = "mills"
title = "Mills"
about = "are two sentences on mills the same"
task = "paraphrase"
schema = "glue"
texts = ["sentence1", "sentence2"]
labels = ["other", "same"]
metrics = ["accuracy", "f1"]
template = "sentence1: {sentence1} sentence2: {sentence2}"
licence = "ours"
"#;
    assert!(card.contains(from), "{from}");
    fs::write(folder.join("my.toml"), card.replace(from, to)).expect("written");
}
