//! Checks the pages of a column before any is decompressed. Each page states its decompressed size, and the
//! library allocates that much; a size that no compression can reach means a damaged file.
//!
//! A page begins with a `PageHeader` in Thrift's compact protocol
//! (<https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>), whose fields 2 and 3 are
//! the decompressed and the compressed size of the page.

use std::io::{self, Read};

use ::parquet::basic::Compression;
use ::parquet::file::metadata::ColumnChunkMetaData;
use ::parquet::file::reader::ChunkReader;

/// Pages up to this decompressed size always pass.
const ALWAYS: u64 = 64 << 20;
/// The largest compression ratio accepted beyond that: gzip reaches about a thousand, as do the others on
/// long repeated text.
const PACKED: u64 = 1_100;

/// Checks every page of a column chunk.
///
/// # Errors
/// A page states an impossible decompressed size; the error text.
pub(super) fn check(input: &impl ChunkReader, column: &ColumnChunkMetaData) -> Result<(), String> {
    if column.compression() == Compression::UNCOMPRESSED {
        return Ok(());
    }
    let (start, length) = column.byte_range();
    let (mut at, end) = (start, start.saturating_add(length).min(input.len()));
    while at < end {
        // Bytes that are not a header are reported when the rows are read.
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
                "a page of {packed} bytes that claims to decompress to {unpacked}"
            ));
        }
        at = at.saturating_add(header.length).saturating_add(packed);
    }
    Ok(())
}

/// The fields of a page header that the check needs.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    /// The header's own size in bytes.
    length: u64,
    /// Size of the decompressed page in bytes.
    unpacked: u64,
    /// Size of the page in the file, in bytes.
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

/// Nesting limit of structs: a page header has statistics, and nothing deeper.
const DEEPEST: usize = 8;

fn invalid() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

/// Kinds of values that are skipped differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A boolean, stored in the field's header.
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
    /// Bytes read so far.
    length: u64,
}

impl<R: Read> Thrift<R> {
    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.input.read_exact(&mut byte)?;
        self.length += 1;
        Ok(byte[0])
    }

    /// An unsigned varint, seven bits per byte.
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

    /// A signed number that must not be negative.
    fn size(&mut self) -> io::Result<u64> {
        match self.number()? {
            number if number % 2 == 0 => Ok(number / 2),
            _ => Err(invalid()),
        }
    }

    /// The next field's kind, `None` at the end of its struct; sets `field` to its number.
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
            // Lists and maps, which page headers do not have.
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
    fn sizes_are_read_despite_extra_fields() {
        // Type 0, 300 bytes decompressed, 20 stored, then a data page's header: a struct of numbers, a struct of two
        // texts, and a boolean.
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
        // Endlessly nested structs, a negative size, a list.
        assert!(Header::read(&[0x1c; 100][..]).is_err());
        assert!(Header::read(&[0x15, 0x00, 0x15, 0x01, 0x15, 0x28, 0x00][..]).is_err());
        assert!(Header::read(&[0x19, 0x15, 0x00][..]).is_err());
    }
}
