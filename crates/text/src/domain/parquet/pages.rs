//! The pages of a column before any is unpacked. Each says how many bytes it unpacks to, and as many are allocated at
//! its word: what no packing makes of so few bytes is damage.
//!
//! A page begins with a `PageHeader` in Thrift's compact protocol
//! (<https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>), whose fields 2 and 3 are
//! the sizes of what follows it, unpacked and as it is.

use std::io::{self, Read};

use ::parquet::basic::Compression;
use ::parquet::file::metadata::ColumnChunkMetaData;
use ::parquet::file::reader::ChunkReader;

/// Pages up to this size are unpacked, however small they were packed.
const ALWAYS: u64 = 64 << 20;
/// Beyond that, it may be so many times as large as packed: gzip gets to a thousand, the others with a long text over
/// and over again.
const PACKED: u64 = 1_100;

/// Looks at every page of a part of a column.
///
/// # Errors
/// A page that says it unpacks to more than it can, in words.
pub(super) fn check(input: &impl ChunkReader, column: &ColumnChunkMetaData) -> Result<(), String> {
    if column.compression() == Compression::UNCOMPRESSED {
        return Ok(());
    }
    let (start, length) = column.byte_range();
    let (mut at, end) = (start, start.saturating_add(length).min(input.len()));
    while at < end {
        // What is no header at all, the reader of its rows will say.
        let Some(header) = input
            .get_read(at)
            .ok()
            .and_then(|read| Header::read(read).ok())
        else {
            return Ok(());
        };
        let Header {
            unpacked, packed, ..
        } = header;
        if unpacked > ALWAYS && unpacked / PACKED > packed {
            return Err(format!(
                "a page of {packed} bytes that says it unpacks to {unpacked}"
            ));
        }
        at = at.saturating_add(header.length).saturating_add(packed);
    }
    Ok(())
}

/// What is needed of a page's header.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    /// Its own bytes.
    length: u64,
    /// Bytes of the page as it is unpacked.
    unpacked: u64,
    /// Bytes of the page in the file.
    packed: u64,
}

impl Header {
    fn read(input: impl Read) -> io::Result<Header> {
        let mut thrift = Thrift { input, length: 0 };
        let (mut unpacked, mut packed) = (None, None);
        let mut field = 0;
        while let Some(kind) = thrift.field(&mut field)? {
            match (field, kind) {
                (2, Kind::Integer) => unpacked = Some(thrift.size()?),
                (3, Kind::Integer) => packed = Some(thrift.size()?),
                (_, kind) => thrift.skip(kind, DEEPEST)?,
            }
        }
        match (unpacked, packed) {
            (Some(unpacked), Some(packed)) => Ok(Header {
                length: thrift.length,
                unpacked,
                packed,
            }),
            _ => Err(invalid()),
        }
    }
}

/// Structs within structs: a page's header has statistics, and no deeper ones.
const DEEPEST: usize = 8;

fn invalid() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

/// Kinds of values that differ in how they are skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// In the header of its field.
    Truth,
    Byte,
    Integer,
    Double,
    Binary,
    Struct,
}

/// The part of Thrift's compact protocol that page headers need.
struct Thrift<R> {
    input: R,
    /// Bytes read.
    length: u64,
}

impl<R: Read> Thrift<R> {
    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.input.read_exact(&mut byte)?;
        self.length += 1;
        Ok(byte[0])
    }

    /// An unsigned number, seven bits a byte.
    fn number(&mut self) -> io::Result<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(invalid())
    }

    /// A signed number that is not negative.
    fn size(&mut self) -> io::Result<u64> {
        match self.number()? {
            number if number % 2 == 0 => Ok(number / 2),
            _ => Err(invalid()),
        }
    }

    /// The next field's kind, `None` at the end of its struct; `field` becomes its number.
    fn field(&mut self, field: &mut u64) -> io::Result<Option<Kind>> {
        let header = self.byte()?;
        if header == 0 {
            return Ok(None);
        }
        *field = match u64::from(header >> 4) {
            0 => self.size()?,
            more => *field + more,
        };
        Ok(Some(match header & 0x0f {
            1 | 2 => Kind::Truth,
            3 => Kind::Byte,
            4..=6 => Kind::Integer,
            7 => Kind::Double,
            8 => Kind::Binary,
            12 => Kind::Struct,
            // Lists and maps, of which these headers have none.
            _ => return Err(invalid()),
        }))
    }

    fn skip(&mut self, kind: Kind, depth: usize) -> io::Result<()> {
        match kind {
            Kind::Truth => Ok(()),
            Kind::Byte => self.byte().map(drop),
            Kind::Integer => self.number().map(drop),
            Kind::Double => self.pass(8),
            Kind::Binary => {
                let length = self.number()?;
                self.pass(length)
            }
            Kind::Struct if depth == 0 => Err(invalid()),
            Kind::Struct => {
                let mut field = 0;
                while let Some(kind) = self.field(&mut field)? {
                    self.skip(kind, depth - 1)?;
                }
                Ok(())
            }
        }
    }

    fn pass(&mut self, length: u64) -> io::Result<()> {
        let passed = io::copy(&mut (&mut self.input).take(length), &mut io::sink())?;
        self.length += passed;
        match passed == length {
            true => Ok(()),
            false => Err(invalid()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_whatever_stands_beside_them() {
        // Type 0, 300 bytes of which 20 are left, then a header of a data page: a struct of numbers, of a struct of
        // two texts, and of a truth.
        let mut bytes = vec![0x15, 0x00, 0x15, 0xd8, 0x04, 0x15, 0x28, 0x2c];
        bytes.extend([
            0x15, 0x02, 0x1c, 0x18, 0x02, b'a', b'b', 0x18, 0x00, 0x00, 0x11, 0x00,
        ]);
        bytes.push(0x00);
        let length = bytes.len() as u64;
        bytes.extend(b"the page");
        let found = Header::read(&bytes[..]).expect("a header");
        let wanted = Header {
            length,
            unpacked: 300,
            packed: 20,
        };
        assert_eq!(found, wanted);
        for cut in 0..length as usize {
            assert!(Header::read(&bytes[..cut]).is_err(), "{cut}");
        }
        // Structs without end, a negative size, a list.
        assert!(Header::read(&[0x1c; 100][..]).is_err());
        assert!(Header::read(&[0x15, 0x00, 0x15, 0x01, 0x15, 0x28, 0x00][..]).is_err());
        assert!(Header::read(&[0x19, 0x15, 0x00][..]).is_err());
    }
}
