//! The side of the owner: which capture has which tables, how far all are, and when a DDL statement may go out.

mod ending;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use proto::{
    etcdserverpb::{Compare, RequestOp},
    mvccpb::KeyValue,
};

use super::{Part, Run, failed, json, mirror::Mirror, placement::Placement, read, tables::Tables};
use crate::{
    changefeed::{
        election::Ownership,
        keys::{Id, Keys},
    },
    coded::{Code, Coded},
    etcd,
    model::Ts,
    sort::TableId,
};

/// How long to wait before a write is tried again that found nobody.
const AGAIN: Duration = Duration::from_millis(300);

/// After so long a capture that has not begun its part is asked after.
const SLOW: Duration = Duration::from_secs(10);

/// What leading needs.
#[derive(Debug, Clone)]
pub struct Ground {
    /// PD's etcd.
    pub etcd: etcd::Client,
    /// The names of its keys.
    pub keys: Keys,
    /// The right to write them.
    pub ownership: Ownership,
    /// This capture.
    pub capture: String,
}

/// A change that somebody asked for, made when the next run begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// All captures are to have about the same.
    Balance,
    /// The table with this physical id, and all partitions of the same table, go to this capture.
    Move(TableId, String),
}

/// A changefeed that is led.
#[derive(Debug)]
pub struct Lead {
    ground: Ground,
    id: Id,
    /// The captures that get tables; this one is not among them when it is drained.
    members: BTreeSet<String>,
    wish: Option<Wish>,
    /// See [`Run::info`].
    info: String,
    placement: Placement,
    /// None for a changefeed on this capture alone.
    spread: Option<Spread>,
    /// At which `placed` was written: a run is made and ended only as long as nobody has written that since, so that
    /// what etcd does late does nothing. 0 if it is not there.
    placed_at: i64,
    /// Whether the run's key is, or may be, there.
    open: bool,
}

/// A run with other captures.
#[derive(Debug)]
struct Spread {
    run: Run,
    /// At which the run's key was made.
    revision: i64,
    /// At which it was last written.
    written_at: i64,
    mirror: Mirror,
    /// Whether the mirror has been looked at.
    seen: bool,
    /// A part has ended that nobody told to: the run's key may have been removed.
    doubt: bool,
    /// When to ask after captures that have told nothing; none once that was done, or all have.
    ask_at: Option<Instant>,
    /// The last of each capture: what it has done stays done when it is gone.
    parts: BTreeMap<String, Part>,
}

impl Lead {
    /// Ends what there was of a run before, and waits until no capture has tables of the changefeed any more. `info` is the
    /// changefeed as it is to run now.
    ///
    /// # Errors
    /// `ErrPDEtcdAPIError`, also for a part that cannot be read; `ErrOwnerNotFound` if another owns.
    pub async fn gather(
        ground: Ground,
        id: Id,
        info: String,
        members: BTreeSet<String>,
        wish: Option<Wish>,
    ) -> Result<Self, Coded> {
        let (etcd, keys) = (&ground.etcd, &ground.keys);
        let (run_key, placed_key) = (keys.run(&id), keys.placed(&id));
        let run = etcd.get(&run_key).await.map_err(failed)?;
        let placed = etcd.get(&placed_key).await.map_err(failed)?;
        // a changefeed on one capture writes nothing
        let spreads =
            run.is_some() || placed.is_some() || members.iter().any(|m| *m != ground.capture);
        // one that is made late finds that the next has been here
        let last = |pair: &Option<KeyValue>| pair.as_ref().map_or(0, |pair| pair.mod_revision);
        let guards = vec![
            etcd::unchanged(&run_key, last(&run)),
            etcd::unchanged(&placed_key, last(&placed)),
        ];
        let placement = match (run, placed) {
            (Some(pair), _) => known(read::<Run>(&pair).map(|run| run.tables)),
            (None, Some(pair)) => known(read(&pair)),
            (None, None) => Placement::default(),
        };
        let mut placed_at = 0;
        if spreads {
            let ops = vec![
                etcd::delete(&run_key),
                etcd::put(&placed_key, json(&placement)?, 0),
            ];
            placed_at = write(&ground, guards, ops).await?;
        }
        // read after the run is gone: a part that is not there now does not come any more
        let mut mirror = Mirror::open(etcd, &keys.part_prefix(&id))
            .await
            .map_err(failed)?;
        ending::all_ended(&mut mirror, &id, None).await?;
        ending::clear(&ground, &mut mirror).await?;
        Ok(Self {
            ground,
            id,
            members,
            wish,
            info,
            placement,
            spread: None,
            placed_at,
            open: false,
        })
    }

    /// Places the tables, and lets the other captures begin.
    ///
    /// # Errors
    /// `ErrPDEtcdAPIError`, `ErrOwnerNotFound` if another owns.
    pub async fn begin(
        &mut self,
        checkpoint_ts: Ts,
        ddl_at_checkpoint: bool,
        tables: &Tables,
    ) -> Result<(), Coded> {
        let weights = tables.weights();
        self.placement = Placement::next(&weights, &self.members, &self.placement);
        match self.wish.take() {
            Some(Wish::Balance) => self.placement.balance(&weights),
            Some(Wish::Move(table, capture)) => {
                let logical = tables.of.get(&table);
                if !logical.is_some_and(|logical| self.placement.move_table(*logical, &capture)) {
                    tracing::warn!(changefeed = %self.id, table, capture, "a table or capture is gone that was to be moved");
                }
            }
            None => {}
        }
        if self.others().next().is_none() {
            return Ok(());
        }
        let (etcd, keys) = (&self.ground.etcd, &self.ground.keys);
        let run = Run {
            leader: self.ground.capture.clone(),
            info: self.info.clone(),
            checkpoint_ts,
            ddl_at_checkpoint,
            released_ts: 0,
            tables: self.placement.clone(),
        };
        let key = keys.run(&self.id);
        let put = vec![etcd::put(&key, json(&run)?, 0)];
        // even if there is no answer
        self.open = true;
        let guards = vec![
            etcd::absent(&key),
            etcd::unchanged(&keys.placed(&self.id), self.placed_at),
        ];
        let revision = write(&self.ground, guards, put).await?;
        let mirror = Mirror::open(etcd, &keys.part_prefix(&self.id))
            .await
            .map_err(failed)?;
        tracing::info!(changefeed = %self.id, captures = self.members.len(), "the tables are spread");
        self.spread = Some(Spread {
            run,
            revision,
            written_at: revision,
            mirror,
            seen: false,
            doubt: false,
            ask_at: Some(Instant::now() + SLOW),
            parts: BTreeMap::new(),
        });
        Ok(())
    }

    /// Whether this capture has a logical table.
    #[must_use]
    pub fn has(&self, table: i64) -> bool {
        self.spread.is_none() || self.placement.has(&self.ground.capture, table)
    }

    /// The physical tables of each capture.
    #[must_use]
    pub fn shares(&self, tables: &Tables) -> BTreeMap<String, Vec<TableId>> {
        if self.spread.is_none() {
            return BTreeMap::from([(self.ground.capture.clone(), tables.physical())]);
        }
        let physical = |logical: &i64| tables.all.get(logical).into_iter().flatten().copied();
        self.placement
            .captures()
            .map(|capture| {
                let mut own: Vec<TableId> = self.placement.of(capture).flat_map(physical).collect();
                own.sort_unstable();
                (capture.clone(), own)
            })
            .collect()
    }

    /// Takes in what other captures have told; whether there was anything.
    ///
    /// # Errors
    /// What ended the part of another capture.
    pub fn catch_up(&mut self) -> Result<bool, Coded> {
        let Some(spread) = &mut self.spread else {
            return Ok(false);
        };
        if spread.ask_at.is_some_and(|at| at <= Instant::now()) {
            spread.ask_at = None;
            let of_others = self.members.iter().filter(|m| **m != self.ground.capture);
            let silent: Vec<_> = of_others
                .filter(|member| !spread.parts.contains_key(*member))
                .collect();
            if !silent.is_empty() {
                tracing::warn!(changefeed = %self.id, ?silent, "captures have not begun their part, the checkpoint waits for them");
            }
        }
        if spread.seen && !spread.mirror.has_changed() {
            return Ok(false);
        }
        spread.seen = true;
        let prefix = self.ground.keys.part_prefix(&self.id);
        let pairs = spread.mirror.pairs();
        let mut failed = None;
        for (key, pair) in pairs.iter() {
            let (Some(capture), part) = (key.strip_prefix(&prefix), read::<Part>(pair)?) else {
                continue;
            };
            if part.run != spread.revision {
                continue;
            }
            if let Some(failure) = &part.error {
                tracing::warn!(changefeed = %self.id, capture, code = failure.code, "a capture ended its part with an error");
                failed.get_or_insert_with(|| Coded::from(failure));
            }
            spread.doubt |= part.ended && part.error.is_none();
            // what it has done last counts even if it has failed
            spread.parts.insert(capture.to_owned(), part);
        }
        failed.map_or(Ok(true), Err)
    }

    /// Sees to it that the run is there, where a part has ended that nobody told to.
    ///
    /// # Errors
    /// `ErrPDEtcdAPIError` if somebody removed its key: captures do nothing without it.
    pub async fn certain(&mut self) -> Result<(), Coded> {
        let Some(spread) = self.spread.as_mut().filter(|spread| spread.doubt) else {
            return Ok(());
        };
        let key = self.ground.keys.run(&self.id);
        match self.ground.etcd.get(&key).await {
            Ok(Some(pair)) if pair.create_revision == spread.revision => {
                spread.doubt = false;
                Ok(())
            }
            Ok(_) => Err(Coded::wrap(
                Code::ErrPDEtcdAPIError,
                format_args!("somebody removed {key}, under which captures work"),
            )),
            Err(error) => {
                tracing::warn!(changefeed = %self.id, %error, "failed to look whether the tables are spread still, it is tried again");
                Ok(())
            }
        }
    }

    /// Waits until other captures have told something; for ever if there are none.
    pub async fn changed(&mut self) {
        match &mut self.spread {
            Some(spread) if !spread.seen => {}
            Some(spread) => {
                spread.mirror.changed().await;
                spread.seen = false;
            }
            None => std::future::pending().await,
        }
    }

    /// The other captures that have tables.
    fn others(&self) -> impl Iterator<Item = &String> {
        let me = &self.ground.capture;
        self.members.iter().filter(move |member| *member != me)
    }

    /// The least of what others have done, by this measure; one that has told nothing stands where the run began.
    fn least(&self, measure: impl Fn(&Part) -> Ts) -> Ts {
        let Some(spread) = &self.spread else {
            return Ts::MAX;
        };
        let of = |member: &String| spread.parts.get(member).map(&measure);
        self.others()
            .map(|member| of(member).unwrap_or(spread.run.checkpoint_ts))
            .min()
            .unwrap_or(Ts::MAX)
    }

    /// All others have acknowledged everything up to here.
    #[must_use]
    pub fn checkpoint_ts(&self) -> Ts {
        self.least(|part| part.checkpoint_ts)
    }

    /// All others have read everything up to here.
    #[must_use]
    pub fn resolved_ts(&self) -> Ts {
        self.least(|part| part.resolved_ts)
    }

    /// Messages that others have had acknowledged in this run.
    #[must_use]
    pub fn messages(&self) -> u64 {
        let parts = self.spread.iter().flat_map(|spread| spread.parts.values());
        parts.map(|part| part.messages).sum()
    }

    /// Places the tables anew that have come with a DDL statement, and lets all captures pass it.
    ///
    /// # Errors
    /// `ErrPDEtcdAPIError`, `ErrOwnerNotFound` if another owns.
    pub async fn release(&mut self, ts: Ts, tables: &Tables) -> Result<(), Coded> {
        let Some(spread) = &mut self.spread else {
            return Ok(());
        };
        self.placement = Placement::next(&tables.weights(), &self.members, &self.placement);
        spread.run.released_ts = ts;
        spread.run.tables = self.placement.clone();
        let key = self.ground.keys.run(&self.id);
        let value = json(&spread.run)?;
        let mut pace = tokio::time::interval(AGAIN);
        loop {
            pace.tick().await;
            // over what was let pass before: else that could be written later than this
            let guards = vec![
                self.ground.ownership.guard(),
                etcd::unchanged(&key, spread.written_at),
            ];
            let put = vec![etcd::put(&key, value.clone(), 0)];
            let answer = self.ground.etcd.txn(guards, put, vec![etcd::get(&key)]);
            let answer = match answer.await {
                Ok(answer) => answer,
                Err(error) => {
                    tracing::warn!(changefeed = %self.id, %error, "failed to let captures pass a DDL statement, it is tried again");
                    continue;
                }
            };
            if answer.succeeded {
                spread.written_at = answer.header.map_or(0, |header| header.revision);
                return Ok(());
            }
            // by a write of ours that was not answered
            let moved = etcd::read(&answer).filter(|pair| {
                pair.create_revision == spread.revision && pair.mod_revision != spread.written_at
            });
            spread.written_at = moved.ok_or_else(replaced)?.mod_revision;
        }
    }
}

/// A placement that cannot be read is only a wish that is not known.
fn known(placed: Result<Placement, Coded>) -> Placement {
    placed.unwrap_or_else(|error| {
        tracing::warn!(%error, "the tables are placed as if for the first time");
        Placement::default()
    })
}

/// Writes as the owner; the revision.
async fn write(
    ground: &Ground,
    mut guards: Vec<Compare>,
    ops: Vec<RequestOp>,
) -> Result<i64, Coded> {
    guards.push(ground.ownership.guard());
    let answer = ground.etcd.txn(guards, ops, vec![]).await;
    let answer = answer.map_err(failed)?;
    match answer.succeeded {
        true => Ok(answer.header.map_or(0, |header| header.revision)),
        false => Err(replaced()),
    }
}

fn replaced() -> Coded {
    Coded::new(
        Code::ErrOwnerNotFound,
        "another capture owns the changefeed by now",
    )
}

#[cfg(test)]
mod tests;
