//! What the server keeps of one member's dealing to the end of the round: the commitment and its tree in memory, boxes and
//! ciphertexts in a [`Stash`]. With ML-KEM-768 a dealing takes 2 KiB for each neighbour, of which 170 bytes stay in memory.

use sha2::{Digest, Sha256};
use tls_codec::Serialize as _;

use crate::Hash;
use crate::messages::{DealtBox, ShareRoot, Shares};
use crate::refusal::Refusal;
use crate::share_tree::ShareTree;
use crate::sharing::Place;
use crate::spool::{SpoolError, Stash};

/// Bytes of the checksum behind every piece: a disk is not trusted to give back what it was given.
const CHECKSUM: usize = 32;

/// One holder's piece of a dealing.
pub(crate) struct Piece {
    /// Empty where the holder encapsulated.
    pub(crate) mask_ciphertext: Vec<u8>,
    pub(crate) share_ciphertext: Vec<u8>,
    pub(crate) sealed: Vec<u8>,
}

/// Where a piece is: position in the record, and the lengths of its three parts.
#[derive(Clone, Copy)]
struct Whereabouts {
    at: u32,
    mask: u16,
    share: u16,
    sealed: u16,
}

pub(crate) struct Dealt {
    pub(crate) share_root: ShareRoot,
    holders: Vec<u16>,
    /// By position among the holders; none for the dealer itself.
    pieces: Vec<Option<Whereabouts>>,
    tree: ShareTree,
    /// Hash of the whole message.
    digest: Hash,
    /// Position of the record in the stash.
    at: u64,
}

fn digest(message: &Shares) -> Hash {
    // A message that was decoded can be encoded.
    Sha256::digest(message.tls_serialize_detached().unwrap_or_default()).into()
}

impl Dealt {
    /// Rebuilds the tree from what travels outside the boxes (TAC-036): only a dealer whose ciphertexts are those under its
    /// signed root is admitted to U1. Then keeps the boxes. The lengths were checked.
    ///
    /// # Errors
    /// [`Refusal::Ciphertexts`]; [`Refusal::NoRoom`] if the stash is full.
    pub(crate) fn of(
        dealer: &Place<'_>,
        holders: Vec<u16>,
        message: &Shares,
        stash: &mut dyn Stash,
    ) -> Result<Self, Refusal> {
        let boxes = message.boxes.as_slice();
        let mut own_pair = message.own_pair.as_slice().iter();
        let mut groups = Vec::with_capacity(holders.len());
        let mut pieces = Vec::with_capacity(holders.len());
        let mut record = Vec::new();
        for holder in &holders {
            let place = Place {
                holder: *holder,
                ..*dealer
            };
            if *holder == dealer.dealer {
                let pair = own_pair.next().ok_or(Refusal::Ciphertexts)?;
                groups.push(place.group(*pair, &[], &[]));
                pieces.push(None);
                continue;
            }
            let made = boxes
                .binary_search_by_key(holder, |b| b.peer)
                .ok()
                .and_then(|at| boxes.get(at))
                .ok_or(Refusal::Ciphertexts)?;
            groups.push(place.group(
                made.pair,
                made.mask_ciphertext.as_slice(),
                made.share_ciphertext.as_slice(),
            ));
            pieces.push(Some(append(&mut record, made).ok_or(Refusal::Ciphertexts)?));
        }
        let tree = ShareTree::of(groups);
        if own_pair.next().is_some() || tree.root() != message.share_root.root {
            return Err(Refusal::Ciphertexts);
        }
        Ok(Self {
            share_root: message.share_root.clone(),
            holders,
            pieces,
            tree,
            digest: digest(message),
            at: stash.put(&record).map_err(Refusal::NoRoom)?,
        })
    }

    /// Whether this was dealt with the same bytes.
    pub(crate) fn is_of(&self, message: &Shares) -> bool {
        self.digest == digest(message)
    }

    /// What was dealt to a holder; nothing to the dealer itself and to strangers.
    ///
    /// # Errors
    /// [`SpoolError`] if it does not come back as it was dealt.
    pub(crate) fn piece(&self, holder: u16, stash: &dyn Stash) -> Result<Option<Piece>, SpoolError> {
        let position = self.holders.binary_search(&holder).ok();
        let Some(place) = position.and_then(|p| *self.pieces.get(p)?) else {
            return Ok(None);
        };
        let [mask, share, sealed] = [place.mask, place.share, place.sealed].map(usize::from);
        let mut bytes = vec![0u8; mask + share + sealed + CHECKSUM];
        stash.get(self.at.saturating_add(u64::from(place.at)), &mut bytes)?;
        let changed = || SpoolError("the bytes changed while they were stored".to_owned());
        let (bytes, checksum) = bytes.split_last_chunk::<CHECKSUM>().ok_or_else(changed)?;
        if Sha256::digest(bytes).as_slice() != checksum {
            return Err(changed());
        }
        let (mask_ciphertext, rest) = bytes.split_at_checked(mask).ok_or_else(changed)?;
        let (share_ciphertext, sealed) = rest.split_at_checked(share).ok_or_else(changed)?;
        Ok(Some(Piece {
            mask_ciphertext: mask_ciphertext.to_vec(),
            share_ciphertext: share_ciphertext.to_vec(),
            sealed: sealed.to_vec(),
        }))
    }

    /// Path of the leaf of a holder's mask ciphertext; empty if it has none.
    pub(crate) fn mask_ciphertext_path(&self, holder: u16, piece: &Piece) -> Vec<Hash> {
        match self.holders.binary_search(&holder) {
            Ok(position) if !piece.mask_ciphertext.is_empty() => self
                .tree
                .mask_ciphertext_path(position as u64)
                .unwrap_or_default(),
            _ => Vec::new(),
        }
    }
}

/// Puts one holder's piece and its checksum behind the others; `None` for lengths that no valid message has.
fn append(record: &mut Vec<u8>, made: &DealtBox) -> Option<Whereabouts> {
    let parts = [&made.mask_ciphertext, &made.share_ciphertext];
    let [mask, share] = parts.map(|bytes| u16::try_from(bytes.as_slice().len()).ok());
    let place = Whereabouts {
        at: u32::try_from(record.len()).ok()?,
        mask: mask?,
        share: share?,
        sealed: u16::try_from(made.ciphertext.as_slice().len()).ok()?,
    };
    let start = record.len();
    record.extend_from_slice(made.mask_ciphertext.as_slice());
    record.extend_from_slice(made.share_ciphertext.as_slice());
    record.extend_from_slice(made.ciphertext.as_slice());
    let checksum = Sha256::digest(record.get(start..)?);
    record.extend_from_slice(&checksum);
    Some(place)
}
