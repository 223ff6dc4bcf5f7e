//! Which file holds what: C2SP tlog-tiles (<https://c2sp.org/tlog-tiles>).
//!
//! ```text
//! checkpoint                     the signed head
//! tile/entries/<N>[.p/<W>]       entries 256 N ..: each a big-endian 16-bit length and its bytes
//! tile/<L>/<N>[.p/<W>]           hashes 256 N .. of level L; one of level L covers 256^L entries
//! ```
//!
//! `<N>` is written in groups of three digits, all but the last with an `x`: 1234067 is `x001/x234/067`. A tile
//! of fewer than 256 items carries its width `<W>` in the path, so no path ever changes its content.

use crate::entry::MAX_ENTRY;
use crate::tree::Tree;

/// Path of the signed head.
pub const CHECKPOINT_PATH: &str = "checkpoint";
/// Items in a full tile or bundle.
pub const TILE_WIDTH: u64 = 256;
/// Bytes of a full hash tile.
pub const MAX_TILE: usize = 256 * 32;
/// Most bytes of an entry bundle.
pub const MAX_BUNDLE: usize = 256 * (2 + MAX_ENTRY);
/// Hash levels that can exist below a tree size of 2^63.
const MAX_LEVELS: u32 = 8;

/// One tile file: which level, which tile, how wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tile {
    /// Hash level, or `None` for an entry bundle.
    pub level: Option<u32>,
    /// Index within the level.
    pub index: u64,
    /// Items in it, 1 to 256.
    pub width: u64,
}

impl Tile {
    /// Its path.
    pub fn path(&self) -> String {
        let level = self
            .level
            .map_or_else(|| "entries".to_owned(), |level| level.to_string());
        let mut groups = vec![format!("{:03}", self.index % 1000)];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(format!("x{:03}", rest % 1000));
            rest /= 1000;
        }
        groups.reverse();
        let mut path = format!("tile/{level}/{}", groups.join("/"));
        if self.width != TILE_WIDTH {
            path.push_str(&format!(".p/{}", self.width));
        }
        path
    }

    /// Index of its first item within the level.
    pub fn first(&self) -> u64 {
        self.index.saturating_mul(TILE_WIDTH)
    }

    /// The bytes of a hash tile: its hashes, concatenated. `None` for an entry bundle, or when the tree is too
    /// small.
    pub fn hashes(&self, tree: &Tree) -> Option<Vec<u8>> {
        let height = self.level?.checked_mul(8)?;
        let mut bytes = Vec::with_capacity(MAX_TILE);
        for item in 0..self.width {
            bytes.extend_from_slice(&tree.subtree(height, self.first().checked_add(item)?)?);
        }
        Some(bytes)
    }
}

/// Items of a level in a tree of `size` entries: `floor(size / 256^level)`.
pub fn level_len(size: u64, level: Option<u32>) -> u64 {
    let shift = level.unwrap_or(0).saturating_mul(8);
    size.checked_shr(shift).unwrap_or(0)
}

/// Every file that a ledger of `size` entries consists of beside the checkpoint, bundles first, lazily: a size
/// that only a hostile checkpoint claims costs nothing.
pub fn tiles(size: u64) -> impl Iterator<Item = Tile> {
    levels().flat_map(move |level| tiles_between(level, 0, level_len(size, level)))
}

/// The tiles of one level that hold items `old..new` or their neighbours in the same tile, for a level of
/// `new` items: what must be written when a level grows from `old` to `new`.
pub(crate) fn tiles_between(level: Option<u32>, old: u64, new: u64) -> impl Iterator<Item = Tile> {
    let end = if old < new { new.div_ceil(TILE_WIDTH) } else { 0 };
    (old / TILE_WIDTH..end).map(move |index| {
        let width = new
            .saturating_sub(index.saturating_mul(TILE_WIDTH))
            .min(TILE_WIDTH);
        Tile { level, index, width }
    })
}

/// The partial tile at the right edge of a level of `len` items.
pub(crate) fn right_edge(level: Option<u32>, len: u64) -> Option<Tile> {
    let width = len % TILE_WIDTH;
    (width > 0).then_some(Tile {
        level,
        index: len / TILE_WIDTH,
        width,
    })
}

/// The entry bundles, then the hash levels from the leaves up.
pub(crate) fn levels() -> impl Iterator<Item = Option<u32>> {
    std::iter::once(None).chain((0..MAX_LEVELS).map(Some))
}

/// An entry bundle from its entries; `None` if one is too long for its 16-bit length.
pub fn write_bundle<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for entry in entries {
        bytes.extend_from_slice(&u16::try_from(entry.len()).ok()?.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Some(bytes)
}

/// Why a bundle could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// It ends inside an entry, or before all of them.
    #[error("the bundle ends inside or before item {item}")]
    Short {
        /// Item within the bundle.
        item: u64,
    },
    /// Bytes follow the last entry.
    #[error("{bytes} bytes follow the last entry")]
    Trailing {
        /// How many.
        bytes: usize,
    },
}

/// Exactly `width` entries of a bundle.
///
/// # Errors
/// [`BundleError`].
pub fn read_bundle(mut bytes: &[u8], width: u64) -> Result<Vec<&[u8]>, BundleError> {
    let mut entries = Vec::with_capacity(usize::try_from(width.min(TILE_WIDTH)).unwrap_or(0));
    for item in 0..width {
        let short = BundleError::Short { item };
        let (length, rest) = bytes.split_first_chunk::<2>().ok_or(short)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, rest) = rest.split_at_checked(length).ok_or(short)?;
        entries.push(entry);
        bytes = rest;
    }
    if bytes.is_empty() {
        Ok(entries)
    } else {
        Err(BundleError::Trailing { bytes: bytes.len() })
    }
}

/// Whether a path could be that of a tile of some size: what an interrupted publication may have left behind.
pub fn is_tile_path(path: &str) -> bool {
    parse(path).is_some_and(|tile| tile.path() == path)
}

/// How many entries a ledger has at least, that holds the bundle at this path.
pub(crate) fn bundle_end(path: &str) -> Option<u64> {
    let tile = parse(path).filter(|tile| tile.level.is_none() && tile.path() == path)?;
    tile.first().checked_add(tile.width)
}

fn parse(path: &str) -> Option<Tile> {
    let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
    let level = match level {
        "entries" => None,
        number => Some(number.parse::<u32>().ok().filter(|level| *level < MAX_LEVELS)?),
    };
    let (number, width) = match rest.split_once(".p/") {
        Some((number, width)) => (
            number,
            width
                .parse::<u64>()
                .ok()
                .filter(|width| (1..TILE_WIDTH).contains(width))?,
        ),
        None => (rest, TILE_WIDTH),
    };
    let mut index = 0u64;
    for group in number.split('/') {
        let digits = group.strip_prefix('x').unwrap_or(group);
        if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    Some(Tile { level, index, width })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(level: Option<u32>, index: u64, width: u64) -> Tile {
        Tile { level, index, width }
    }

    #[test]
    fn paths_of_the_specification() {
        assert_eq!(tile(Some(0), 1_234_067, 256).path(), "tile/0/x001/x234/067");
        assert_eq!(tile(Some(1), 0, 17).path(), "tile/1/000.p/17");
        assert_eq!(tile(None, 273, 112).path(), "tile/entries/273.p/112");
        assert_eq!(tile(None, 1000, 256).path(), "tile/entries/x001/000");
    }

    /// The two examples of tlog-tiles: 70,000 and 256 entries.
    #[test]
    fn tiles_of_the_specification() {
        let all: Vec<Tile> = tiles(70_000).collect();
        let level = |level, width| {
            all.iter()
                .filter(|t| t.level == level && t.width == width)
                .count()
        };
        assert_eq!((level(Some(0), 256), level(Some(0), 112)), (273, 1));
        assert_eq!((level(Some(1), 256), level(Some(1), 17)), (1, 1));
        assert_eq!(level(Some(2), 1), 1);
        assert_eq!((level(None, 256), level(None, 112)), (273, 1));
        assert_eq!(all.len(), 273 + 1 + 1 + 1 + 1 + 274);
        let paths: Vec<String> = tiles(256).map(|t| t.path()).collect();
        assert_eq!(paths, ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]);
        assert_eq!(tiles(0).count(), 0);
    }

    #[test]
    fn only_tile_paths_parse() {
        for tile in tiles(1_000_000).step_by(7) {
            assert_eq!(parse(&tile.path()), Some(tile));
            assert!(is_tile_path(&tile.path()));
        }
        for path in [
            "checkpoint",
            "tile/0/1",
            "tile/0/0001",
            "tile/00/000",
            "tile/8/000",
            "tile/0/x000/000",
            "tile/0/001/000",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/01",
            "tile/0/000.p",
            "tile/0/000/",
            "tile/0/../000",
            "tile/x/000",
            "/tile/0/000",
            "tile/0/000.p/+1",
            "tile/+0/000",
        ] {
            assert!(!is_tile_path(path), "{path}");
        }
    }

    #[test]
    fn bundles_are_read_exactly() {
        let items: [&[u8]; 3] = [b"one", b"", b"three"];
        let bytes = write_bundle(items).unwrap();
        assert_eq!(&bytes[..5], b"\x00\x03one");
        assert_eq!(read_bundle(&bytes, 3).unwrap(), items);
        for cut in 0..bytes.len() {
            assert!(
                matches!(read_bundle(&bytes[..cut], 3), Err(BundleError::Short { .. })),
                "{cut}"
            );
        }
        assert_eq!(read_bundle(&bytes, 2), Err(BundleError::Trailing { bytes: 7 }));
        assert_eq!(write_bundle([vec![0; 65_536].as_slice()]), None);
    }
}
