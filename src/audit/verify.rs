//! Verification: walks a chain and compares it with the rows. Finds the first row that was changed, removed or
//! slipped in, a block that was, and, against a checkpoint kept elsewhere, a tail that was cut off.

use std::collections::BTreeMap;
use std::fmt;

use uuid::Uuid;

use super::block::{self, Block, Checkpoint, NO_HASH, hexadecimal};
use crate::app::App;
use crate::crypto::signing::VerifyingKeys;
use crate::db::{Binding, Mode, Session};
use crate::error::Result;
use crate::ids::FacilityId;

/// What is wrong first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    RowChanged {
        row: Uuid,
        block: i64,
    },
    RowRemoved {
        row: Uuid,
        block: i64,
    },
    RowAdded {
        row: Uuid,
        block: i64,
    },
    /// The block itself does not hold: its hash, its signature or its place in the chain.
    BlockChanged {
        block: i64,
    },
    BlockRemoved {
        block: i64,
    },
    /// The chain ends before a block that a checkpoint proves was there.
    TailCut {
        after_block: i64,
        missing_block: i64,
        missing_row: Uuid,
    },
    /// The checkpoint is of another chain than this.
    CheckpointDiffers {
        block: i64,
    },
    /// The checkpoint is not signed by one of our keys.
    CheckpointUnsigned {
        block: i64,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RowChanged { row, block } => write!(f, "row {row} of block {block} was changed"),
            Self::RowRemoved { row, block } => write!(f, "row {row} of block {block} was removed"),
            Self::RowAdded { row, block } => write!(f, "row {row} was slipped into block {block} after it was sealed"),
            Self::BlockChanged { block } => write!(f, "block {block} was changed"),
            Self::BlockRemoved { block } => write!(f, "block {block} was removed"),
            Self::TailCut { after_block, missing_block, missing_row } => write!(
                f,
                "everything after block {after_block} was removed; a checkpoint proves block {missing_block} with row {missing_row} as its last"
            ),
            Self::CheckpointDiffers { block } => write!(f, "block {block} is not the one of the checkpoint"),
            Self::CheckpointUnsigned { block } => {
                write!(f, "the checkpoint of block {block} is not signed by a key of the ring")
            }
        }
    }
}

/// What was found of one facility.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    pub facility: FacilityId,
    pub blocks: i64,
    pub rows: u64,
    pub fault: Option<Fault>,
}

/// Verifies the chain of a facility, against checkpoints kept elsewhere where there are any.
///
/// # Errors
/// When the database fails. A broken chain is a finding, not an error.
pub async fn verify(app: &App, facility: FacilityId, checkpoints: &[Checkpoint]) -> Result<Verified> {
    let session = Session::open(&app.database, Mode::Read, Binding::System { facility }, app.clock.now()).await?;
    let keys = app.keyring.audit_public_keys();
    let mut walk = Walk { facility, keys, previous: None, rows: 0, checkpoints: Vec::new() };
    walk.checkpoints =
        checkpoints.iter().filter(|point| point.facility == crate::ids::TypedId::uuid(facility)).collect();
    let fault = match walk.unsigned_checkpoint() {
        Some(fault) => Some(fault),
        None => walk.run(&session).await?,
    };
    session.end(false).await?;
    let blocks = walk.previous.as_ref().map_or(0, |block| block.number);
    Ok(Verified { facility, blocks, rows: walk.rows, fault })
}

struct Walk<'a> {
    facility: FacilityId,
    keys: VerifyingKeys,
    previous: Option<Block>,
    rows: u64,
    checkpoints: Vec<&'a Checkpoint>,
}

impl Walk<'_> {
    fn unsigned_checkpoint(&self) -> Option<Fault> {
        let unsigned = self.checkpoints.iter().find(|point| point.verify(&self.keys).is_err())?;
        Some(Fault::CheckpointUnsigned { block: unsigned.block })
    }

    async fn run(&mut self, session: &Session) -> Result<Option<Fault>> {
        loop {
            let last = self.previous.as_ref().map_or(0, |block| block.number);
            let page = block::blocks_after(session.connection()?, self.facility, last).await?;
            if page.is_empty() {
                return Ok(self.cut_tail());
            }
            for block in page {
                if let Some(fault) = self.block(session, &block).await? {
                    return Ok(Some(fault));
                }
                self.rows += u64::try_from(block.row_count).unwrap_or(0);
                self.previous = Some(block);
            }
        }
    }

    async fn block(&self, session: &Session, block: &Block) -> Result<Option<Fault>> {
        let expected = self.previous.as_ref().map_or(1, |previous| previous.number + 1);
        if block.number != expected {
            return Ok(Some(Fault::BlockRemoved { block: expected }));
        }
        if !self.holds(block) {
            return Ok(Some(Fault::BlockChanged { block: block.number }));
        }
        let pinned = self.checkpoints.iter().find(|point| point.block == block.number);
        if pinned.is_some_and(|point| point.hash != hexadecimal(&block.hash)) {
            return Ok(Some(Fault::CheckpointDiffers { block: block.number }));
        }
        let (from, to) = (&block.from_transaction, &block.to_transaction);
        let rows = block::rows(session.connection()?, self.facility, block.epoch, from, to).await?;
        let mut found: BTreeMap<Uuid, [u8; 32]> = rows.iter().map(|row| (row.id, row.hash())).collect();
        for (row, hash) in block.entries() {
            match found.remove(&row) {
                None => return Ok(Some(Fault::RowRemoved { row, block: block.number })),
                Some(now) if now != hash => return Ok(Some(Fault::RowChanged { row, block: block.number })),
                Some(_) => {}
            }
        }
        Ok(found.into_keys().next().map(|row| Fault::RowAdded { row, block: block.number }))
    }

    /// Hash, signature, and that it continues the block before, leaving no transaction between them.
    fn holds(&self, block: &Block) -> bool {
        let continues = match &self.previous {
            None => block.previous_hash == NO_HASH && block.from_transaction == "0",
            Some(previous) => {
                let from = if previous.epoch == block.epoch { previous.to_transaction.as_str() } else { "0" };
                block.previous_hash == previous.hash && block.from_transaction == from && block.epoch >= previous.epoch
            }
        };
        continues
            && block.hash == block.compute_hash(self.facility)
            && block.entries.len() == usize::try_from(block.row_count).unwrap_or(0) * block::ENTRY_BYTES
            && block.signed_by(&self.keys).is_ok()
    }

    fn cut_tail(&self) -> Option<Fault> {
        let last = self.previous.as_ref().map_or(0, |block| block.number);
        let missing = self.checkpoints.iter().filter(|point| point.block > last).min_by_key(|point| point.block)?;
        Some(Fault::TailCut { after_block: last, missing_block: missing.block, missing_row: missing.last_row })
    }
}
