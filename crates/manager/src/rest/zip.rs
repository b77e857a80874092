//! Archives as zip writes them (APPNOTE 6.3): files, deflated, and a directory at the end. Written as a stream, so that
//! nothing has to be held but the directory.

use std::io::{self, Write};

use flate2::{Compression, Crc, write::DeflateEncoder};

/// An archive that is being written.
#[derive(Default)]
pub(super) struct Zip {
    directory: Vec<u8>,
    files: u16,
    written: u32,
}

/// Version 2.0 is needed for deflate; names are UTF-8; no time, which is 1 January 1980.
const KIND: [u8; 10] = [20, 0, 0, 8, 8, 0, 0, 0, 0x21, 0];

impl Zip {
    /// A file, as it is written into the archive.
    pub(super) fn file(&mut self, name: &str, content: &[u8]) -> io::Result<Vec<u8>> {
        let large = || io::Error::other("the archive is larger than zip allows; ask for less at a time");
        let mut crc = Crc::new();
        crc.update(content);
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::default());
        deflate.write_all(content)?;
        let packed = deflate.finish()?;
        let length = |length: usize| u32::try_from(length).map_err(|_| large());
        let mut about = KIND.to_vec();
        for number in [crc.sum(), length(packed.len())?, length(content.len())?] {
            about.extend(number.to_le_bytes());
        }
        about.extend(u16::try_from(name.len()).map_err(|_| large())?.to_le_bytes());
        about.extend([0, 0]);

        let mut file = b"PK\x03\x04".to_vec();
        file.extend(&about);
        file.extend(name.as_bytes());
        file.extend(&packed);
        self.directory.extend(b"PK\x01\x02\x14\0");
        self.directory.extend(&about);
        self.directory.extend([0; 10]);
        self.directory.extend(self.written.to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.written = self.written.checked_add(length(file.len())?).ok_or_else(large)?;
        self.files = self.files.checked_add(1).ok_or_else(large)?;
        Ok(file)
    }

    /// The end of the archive.
    pub(super) fn end(&mut self) -> Vec<u8> {
        let mut end = std::mem::take(&mut self.directory);
        // A file is larger than its entry, so that this cannot be cut off.
        let length = u32::try_from(end.len()).unwrap_or(u32::MAX);
        end.extend(b"PK\x05\x06\0\0\0\0");
        end.extend(self.files.to_le_bytes());
        end.extend(self.files.to_le_bytes());
        end.extend(length.to_le_bytes());
        end.extend(self.written.to_le_bytes());
        end.extend([0, 0]);
        end
    }
}
