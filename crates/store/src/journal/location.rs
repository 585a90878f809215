//! Where an event lies, small enough for an index row.

use super::segment::file_name;

/// The place of one event: the segment's first position and the byte its line starts at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// First position of the segment, as in its file name.
    pub segment: u64,
    /// Byte offset of the line in the segment.
    pub offset: u32,
}

impl Location {
    /// The name of the file it lies in.
    pub fn file_name(self) -> String {
        file_name(self.segment)
    }

    /// Twelve bytes, big endian, so that places sort like positions.
    pub fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&self.segment.to_be_bytes());
        bytes[8..].copy_from_slice(&self.offset.to_be_bytes());
        bytes
    }

    /// The inverse of [`to_bytes`](Self::to_bytes).
    pub fn from_bytes(bytes: [u8; 12]) -> Self {
        let (mut segment, mut offset) = ([0; 8], [0; 4]);
        segment.copy_from_slice(&bytes[..8]);
        offset.copy_from_slice(&bytes[8..]);
        Self {
            segment: u64::from_be_bytes(segment),
            offset: u32::from_be_bytes(offset),
        }
    }
}
