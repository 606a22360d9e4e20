//! A turn of a publisher that shares a bucket with others: what they did comes before it, and the public keys after it.

use std::time::Duration;

use super::{Desk, Disk, Halt, Lock, LockError, Order, Problem, Publisher, RACES};
use crate::bucket::Bucket;

impl Publisher<'_> {
    /// Looks at what others published to the bucket, as a turn does that comes upon it.
    ///
    /// # Errors
    /// If the store does not answer, or another run is at work.
    pub fn catch_up_now(&self, desk: &mut Desk) -> Result<Vec<Problem>, Halt> {
        let lock = Lock::acquire(&self.config.state(), Duration::ZERO);
        let _lock = lock.map_err(|error| match error {
            LockError::Held => Halt::Locked,
            LockError::World(error) => Halt::World(error),
        })?;
        desk.is_behind = true;
        self.catch_up(desk)
    }

    /// Looks at what others published to the bucket, and does what they left to be done. What the author should know is
    /// given.
    ///
    /// # Errors
    /// If the store does not answer.
    pub(super) fn catch_up(&self, desk: &mut Desk) -> Result<Vec<Problem>, Halt> {
        let config = self.config;
        let Some(bucket) = desk.bucket(config)? else {
            return Ok(Vec::new());
        };
        if desk.stays && !desk.is_behind {
            return Ok(Vec::new());
        }
        let disk = Disk::new(&config.feeds, &config.state(), &config.compress);
        let aside = bucket.pull(&disk, Some(&config.ledger))?;
        desk.is_behind = false;
        let aside = aside.map(|aside| {
            let what = "says other things than the ledger in the bucket, which counts";
            let remedy = format!("what it was is kept as `{}`", aside.display());
            Problem::warning(config.ledger.display().to_string(), what).remedy(remedy)
        });
        // nobody who publishes waits for keys that cannot be put: the next edition names them again
        let settled = self.settle(&bucket, &disk).err();
        let unsettled = settled.map(|error| unsettled(&bucket, &error));
        Ok(aside.into_iter().chain(unsettled).collect())
    }

    /// Sees to it that the public keys in the bucket are what the newest edition says.
    fn settle(&self, bucket: &Bucket, disk: &Disk) -> anyhow::Result<()> {
        let config = self.config;
        for _ in 0..RACES {
            let Some(manifest) = disk.manifest(&mut Vec::new())? else {
                return Ok(());
            };
            if bucket.settle(disk, &manifest, config.serve.fresh.as_secs())? {
                return Ok(());
            }
            bucket.pull(disk, Some(&config.ledger))?;
        }
        anyhow::bail!("other publishers were quicker {RACES} times")
    }

    /// What is left to be done when a turn is over: nobody waits for it but those who fetch from the bucket itself.
    pub(super) fn finish(&self, desk: &mut Desk, order: &Order) -> Option<Problem> {
        let config = self.config;
        let bucket = desk.open_bucket().filter(|_| !order.dry_run)?;
        let disk = Disk::new(&config.feeds, &config.state(), &config.compress);
        let finished = self
            .settle(&bucket, &disk)
            .and_then(|()| disk.manifest(&mut Vec::new()));
        let manifest = match finished {
            Ok(manifest) => manifest?,
            Err(error) => return Some(unsettled(&bucket, &error)),
        };
        if let Err(error) = bucket.tidy(&disk, &manifest, order.now) {
            let what = format!(
                "could not be looked through for what is missing, or not needed: {error:#}"
            );
            let remedy = "all is published; the next run tries again";
            return Some(Problem::warning(bucket.url(), what).remedy(remedy));
        }
        // public keys that were found missing
        let error = self.settle(&bucket, &disk).err()?;
        Some(unsettled(&bucket, &error))
    }
}

/// Keys that could not be put.
fn unsettled(bucket: &Bucket, error: &anyhow::Error) -> Problem {
    let what = format!("is published, but not all of its public keys are: {error:#}");
    let remedy = "replicas serve it; the keys are put by the next run";
    Problem::warning(bucket.url(), what).remedy(remedy)
}
