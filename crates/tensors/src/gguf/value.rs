//! The metadata values of a header, and a reader that parses them in sequence.

/// A metadata value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// An integer of any width.
    Integer(i64),
    /// A number.
    Number(f64),
    /// A boolean.
    Truth(bool),
    /// A text.
    Text(String),
    /// A list of values of one type.
    List(Vec<Value>),
}

/// A bounds-checked sequential reader.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Reader { bytes, at: 0 }
    }

    /// The number of bytes read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The total number of bytes.
    pub(super) fn length(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(count);
        let taken = end
            .and_then(|end| self.bytes.get(self.at..end))
            .ok_or_else(|| format!("a file that ends after {} bytes", self.bytes.len()))?;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        Ok(self.take(N)?.try_into().expect("as many as were taken"))
    }

    pub(super) fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, String> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A count or length that must fit into memory.
    pub(super) fn size(&mut self) -> Result<usize, String> {
        let size = self.u64()?;
        usize::try_from(size).map_err(|_| format!("a size of {size}"))
    }

    pub(super) fn text(&mut self) -> Result<String, String> {
        let length = self.size()?;
        let bytes = self.take(length)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| "a text that is not UTF-8".to_string())
    }

    /// Reads a value of the type with this number.
    pub(super) fn value(&mut self, kind: u32) -> Result<Value, String> {
        Ok(match kind {
            0 => Value::Integer(self.array::<1>()?[0].into()),
            1 => Value::Integer(i8::from_le_bytes(self.array()?).into()),
            2 => Value::Integer(u16::from_le_bytes(self.array()?).into()),
            3 => Value::Integer(i16::from_le_bytes(self.array()?).into()),
            4 => Value::Integer(self.u32()?.into()),
            5 => Value::Integer(i32::from_le_bytes(self.array()?).into()),
            6 => Value::Number(f32::from_le_bytes(self.array()?).into()),
            7 => Value::Truth(self.array::<1>()?[0] != 0),
            8 => Value::Text(self.text()?),
            9 => self.list()?,
            10 => Value::Integer(self.u64()?.try_into().unwrap_or(i64::MAX)),
            11 => Value::Integer(i64::from_le_bytes(self.array()?)),
            12 => Value::Number(f64::from_le_bytes(self.array()?)),
            other => return Err(format!("a value of kind {other}")),
        })
    }

    fn list(&mut self) -> Result<Value, String> {
        let (kind, length) = (self.u32()?, self.size()?);
        // Nested lists could recurse without bound, and no known key has one.
        if kind == 9 || length > self.bytes.len() {
            return Err(format!("a list of {length} values of kind {kind}"));
        }
        (0..length)
            .map(|_| self.value(kind))
            .collect::<Result<_, _>>()
            .map(Value::List)
    }
}
