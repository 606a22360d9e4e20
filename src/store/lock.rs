//! One turn at a time: a lock that dies with its holder.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

/// How often a lock that somebody holds is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// Held while this value lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run holds it.
    #[error("another run holds the lock")]
    Held,
    /// The world failed.
    #[error(transparent)]
    World(#[from] anyhow::Error),
}

impl Lock {
    /// Takes the lock of the state folder `state`, waiting at most `wait` for another run.
    ///
    /// # Errors
    /// [`LockError::Held`] if another run holds it for longer.
    pub fn acquire(state: &Path, wait: Duration) -> Result<Self, LockError> {
        Self::of(state, "lock", wait)
    }

    /// Takes the lock called `name` in the state folder, if nobody has it.
    ///
    /// # Errors
    /// If the world fails.
    pub fn try_of(state: &Path, name: &str) -> anyhow::Result<Option<Self>> {
        match Self::of(state, name, Duration::ZERO) {
            Ok(lock) => Ok(Some(lock)),
            Err(LockError::Held) => Ok(None),
            Err(LockError::World(error)) => Err(error),
        }
    }

    fn of(state: &Path, name: &str, wait: Duration) -> Result<Self, LockError> {
        fs::create_dir_all(state).with_context(|| format!("cannot make `{}`", state.display()))?;
        let path = state.join(name);
        let failed = || format!("cannot open `{}`", path.display());
        let file = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(failed)?;
        let mut waited = Duration::ZERO;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if waited >= wait => return Err(LockError::Held),
                Err(TryLockError::WouldBlock) => {
                    std::thread::sleep(PAUSE);
                    waited += PAUSE;
                }
                Err(TryLockError::Error(error)) => {
                    return Err(anyhow::Error::new(error)
                        .context(format!("cannot lock `{}`", path.display()))
                        .into());
                }
            }
        }
    }
}
