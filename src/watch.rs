//! What wakes the publisher: events of the folder, of the configuration, of the user. Events are hints: they say *that*
//! something happened and whether its writer is done with it; what the folder holds the scan decides.

use std::collections::{BTreeSet, HashSet};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use notify::event::{
    AccessKind, AccessMode, CreateKind, EventKind, ModifyKind, RemoveKind, RenameMode,
};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

use crate::folder::{self, Finished};

/// Everything that can wake the publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Something happened in the folder of articles, or to it.
    Folder,
    /// The configuration is to be read anew.
    Settings,
    /// Something happened to the file of the configuration: perhaps it is being written.
    Look,
    /// Somebody wants everything looked at now.
    Refresh,
    /// Another publisher has published to the bucket, or something there is left to be done.
    Elsewhere,
    /// Better encodings are ready.
    Improved,
    /// It is time to stop.
    Stop,
}

/// What is half done is waited for until nothing has happened for so long: where files are gone, and where some are
/// being written …
const QUIET: Duration = folder::QUIET;
const OPEN: Duration = folder::OPEN;
/// … but no longer than this.
const PATIENCE: Duration = Duration::from_secs(5);
/// A new folder may have been filled before it was watched: it is looked at again, so long after.
const ECHOES: [Duration; 2] = [Duration::from_millis(300), Duration::from_millis(1500)];

/// What is going on in the folder, as events tell.
#[derive(Debug, Default)]
struct Bustle {
    /// When the first and the last event came that no turn has answered yet.
    pending: Option<(Instant, Instant)>,
    /// Texts that are being written.
    open: HashSet<PathBuf>,
    /// Other files that are being written: nobody waits for them but who shows them.
    copying: HashSet<PathBuf>,
    /// What is gone; perhaps it is only half of a deployment.
    gone: HashSet<PathBuf>,
    /// When a folder that came is to be looked at again.
    echoes: Vec<Instant>,
    /// The files of which something was heard.
    heard: BTreeSet<PathBuf>,
    /// Whether something happened that names no file, or more of them than it names.
    is_vague: bool,
    /// Whether events were lost.
    has_lost: bool,
    hearing: Hearing,
}

/// Whether what happens is heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Hearing {
    /// As far as is known.
    #[default]
    Whole,
    /// A folder came: one in it that went at that moment ends the search for others to watch.
    Grown,
    /// Something may not be watched yet.
    Doubtful,
    /// Something is not watched any more.
    Torn,
}

/// When the folder should be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Nothing happened.
    Never,
    /// Something is half done; then, unless more happens.
    At(Instant),
    /// A folder came that may have been filled unseen: compare.
    Look,
    /// At once.
    Now,
}

/// Watches a folder and a file until it is dropped.
#[derive(Debug)]
pub struct Watch {
    bustle: Arc<Mutex<Bustle>>,
    finished: Finished,
    identity: Identity,
    /// Whether anything happened since somebody asked for quiet.
    stirred: Arc<AtomicBool>,
    /// Why there are no events, if there are none.
    pub deaf: Option<String>,
    watcher: Option<RecommendedWatcher>,
}

impl Watch {
    /// Watches the folder `articles` and the file `config`, which were `identity` when they were last read, and wakes
    /// who listens to `wakes`.
    #[must_use]
    pub fn new(
        articles: &Path,
        config: &Path,
        identity: Identity,
        finished: &Finished,
        wakes: &Sender<Wake>,
    ) -> Self {
        let bustle = Arc::new(Mutex::new(Bustle::default()));
        let stirred = Arc::new(AtomicBool::new(false));
        let started = start(articles, config, (&bustle, &stirred), finished, wakes);
        let (watcher, deaf) = match started {
            Ok(watcher) => (Some(watcher), remote(articles)),
            Err(why) => (None, Some(why)),
        };
        Self {
            bustle,
            finished: finished.clone(),
            identity,
            stirred,
            deaf,
            watcher,
        }
    }

    /// Whether another watch of the same folder may hear more.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        lock(&self.bustle).hearing >= Hearing::Doubtful
    }

    /// Whether another watch of the same folder hears more.
    #[must_use]
    pub fn is_torn(&self) -> bool {
        lock(&self.bustle).hearing == Hearing::Torn
    }

    /// Hears nothing more, and gives its room to another: the system has so many watches and no more.
    pub fn stop(&mut self) {
        self.watcher = None;
    }

    /// Whether events were lost that the next turn makes up for. Most often they told of our own reading.
    #[must_use]
    pub fn has_lost(&self) -> bool {
        std::mem::take(&mut lock(&self.bustle).has_lost)
    }

    /// Something happened of which no event told: another watch may hear more.
    pub fn distrust(&self) {
        let mut bustle = lock(&self.bustle);
        bustle.hearing = bustle.hearing.max(Hearing::Doubtful);
    }

    /// Goes on where another watch of the same folder stopped.
    pub fn inherit(&self, before: &Self) {
        let old = std::mem::take(&mut *lock(&before.bustle));
        let mut new = lock(&self.bustle);
        if let Some((first, last)) = old.pending {
            let (_, latest) = new.pending.unwrap_or((first, last));
            new.pending = Some((first, latest.max(last)));
            new.is_vague = true;
        } else {
            // what happened unheard is to be found too
            new.echoes.push(clock());
        }
        new.open.extend(old.open);
        new.copying.extend(old.copying);
        new.gone.extend(old.gone);
        new.echoes.extend(old.echoes);
        new.heard.extend(old.heard);
        new.is_vague |= old.is_vague;
        if old.hearing == Hearing::Grown {
            new.hearing = new.hearing.max(Hearing::Grown);
        }
        new.has_lost |= old.has_lost;
    }

    /// The configuration was looked at: it is this one.
    pub fn believe(&mut self, identity: Identity) {
        self.identity = identity;
    }

    /// From now on what this returns becomes true as soon as anything happens in the folder.
    #[must_use]
    pub fn quiet(&self) -> Arc<AtomicBool> {
        self.stirred.store(false, Ordering::Relaxed);
        Arc::clone(&self.stirred)
    }

    /// What became another one since it was last read, though no event may tell: a folder that was swapped, a file that
    /// was replaced.
    #[must_use]
    pub fn replaced(&self, now: &Identity) -> Vec<Wake> {
        let mut wakes = Vec::new();
        if now.articles != self.identity.articles {
            wakes.push(Wake::Folder);
        }
        if now.config != self.identity.config {
            wakes.push(Wake::Settings);
        }
        wakes
    }

    /// When the folder should be looked at: at once if all that happened is complete, else when it is quiet.
    #[must_use]
    pub fn when(&self, now: Instant) -> When {
        let bustle = lock(&self.bustle);
        let echo = bustle.echoes.iter().min().copied();
        if echo.is_some_and(|echo| echo <= now) {
            return When::Look;
        }
        let Some((first, last)) = bustle.pending else {
            return echo.map_or(When::Never, When::At);
        };
        let mut heard = bustle.heard.iter();
        let is_copy = !bustle.copying.is_empty()
            && !bustle.is_vague
            && heard.all(|place| bustle.copying.contains(place));
        let is_open = !bustle.open.is_empty() || is_copy;
        let pause = if is_open { OPEN } else { QUIET };
        let quiet = (last + pause).min(first + PATIENCE);
        if (!is_open && bustle.gone.is_empty()) || quiet <= now {
            return When::Now;
        }
        When::At(echo.map_or(quiet, |echo| echo.min(quiet)))
    }

    /// The folder was compared.
    pub fn looked(&self, now: Instant) {
        let mut bustle = lock(&self.bustle);
        bustle.echoes.retain(|echo| *echo > now);
        if bustle.echoes.is_empty() && bustle.hearing == Hearing::Grown {
            bustle.hearing = Hearing::Doubtful;
        }
    }

    /// A turn begins: it answers all that happened until now. The files of which something was heard, if that was all.
    #[must_use]
    pub fn answer(&self) -> Option<BTreeSet<PathBuf>> {
        let mut bustle = lock(&self.bustle);
        let heard = std::mem::take(&mut bustle.heard);
        let is_vague = std::mem::take(&mut bustle.is_vague);
        bustle.pending = None;
        bustle.gone.clear();
        // what nobody closed was left alone for long enough to be read
        bustle.open.clear();
        bustle.copying.clear();
        (!is_vague).then_some(heard)
    }

    /// A turn is over: what it was told of finished files is of no more use, unless more happened meanwhile.
    pub fn forget(&self) {
        if lock(&self.bustle).pending.is_none() {
            self.finished.clear();
        }
    }
}

/// By which a folder and a file are known to be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Of the folder: device, inode, and birth, since the inode of a folder that went is given to the next; `None` if there
    /// is none.
    pub articles: Option<(u64, u64, Option<SystemTime>)>,
    /// Of the configuration.
    pub config: Stamp,
}

/// By which a file is known to be the same: inode, size, and modification time; `None` if there is none.
pub type Stamp = Option<(u64, u64, i64, i64)>;

impl Identity {
    /// What the two are now.
    #[must_use]
    pub fn of(articles: &Path, config: &Path) -> Self {
        let articles = std::fs::metadata(articles).ok();
        let config = std::fs::metadata(config).ok();
        Self {
            articles: articles.map(|meta| (meta.dev(), meta.ino(), meta.created().ok())),
            config: config.map(|meta| (meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec())),
        }
    }
}

fn lock(bustle: &Mutex<Bustle>) -> MutexGuard<'_, Bustle> {
    // sets of names are whole whatever their holder did
    bustle.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start(
    articles: &Path,
    config: &Path,
    (bustle, stirred): (&Arc<Mutex<Bustle>>, &Arc<AtomicBool>),
    finished: &Finished,
    wakes: &Sender<Wake>,
) -> Result<RecommendedWatcher, String> {
    let real = articles.canonicalize();
    let listener = Listener {
        root: real.as_ref().ok().cloned(),
        name: std::path::absolute(articles).ok(),
        config: config.file_name().map(PathBuf::from),
        bustle: Arc::clone(bustle),
        stirred: Arc::clone(stirred),
        finished: finished.clone(),
        wakes: wakes.clone(),
    };
    // a link and what it leads to share one watch: it would end with either. What lies in the folder has its own
    let settings = notify::Config::default().with_follow_symlinks(false);
    let watcher = RecommendedWatcher::new(move |event| listener.hear(event), settings);
    let mut watcher = watcher.map_err(|error| advice(&error))?;
    // whoever swaps the folder or the file does it there; a folder that cannot be watched is polled
    for parent in [parent(articles), parent(config)] {
        let _ = watcher.watch(&parent, RecursiveMode::NonRecursive);
    }
    if let Ok(real) = real {
        let watched = watcher.watch(&real, RecursiveMode::Recursive);
        watched.map_err(|error| advice(&error))?;
    }
    Ok(watcher)
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn advice(error: &notify::Error) -> String {
    match error.kind {
        notify::ErrorKind::MaxFilesWatch => {
            "the system's limit of watches is reached: raise `fs.inotify.max_user_watches`"
                .to_owned()
        }
        _ => format!("the folder cannot be watched: {error}"),
    }
}

/// File systems whose changes may be made on another machine, where no event comes from: see `statfs(2)`.
const REMOTE: [(u64, &str); 9] = [
    (0x6969, "NFS"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x517b, "SMB"),
    (0x0102_1997, "9p"),
    (0x6573_5546, "FUSE"),
    (0x00c3_6400, "Ceph"),
    (0x5346_414f, "AFS"),
    (0x786f_4256, "VirtualBox"),
];

fn remote(articles: &Path) -> Option<String> {
    let stat = rustix::fs::statfs(articles).ok()?;
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_sign_loss,
        reason = "its type is another one on another architecture"
    )]
    let kind = stat.f_type as u64 & 0xffff_ffff;
    let (_, name) = REMOTE.iter().find(|(magic, _)| *magic == kind)?;
    Some(format!("{name} may tell of no change"))
}

/// Which end of its event a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The only one, or the one where the file is now.
    Here,
    /// The file left it for another name in the folder.
    Left,
    /// The file left it for a name that is none of ours.
    Lost,
}

/// Turns events into what is going on.
struct Listener {
    /// Where the folder lies in truth, and where it is looked for.
    root: Option<PathBuf>,
    name: Option<PathBuf>,
    config: Option<PathBuf>,
    bustle: Arc<Mutex<Bustle>>,
    stirred: Arc<AtomicBool>,
    finished: Finished,
    wakes: Sender<Wake>,
}

impl Listener {
    fn hear(&self, event: notify::Result<Event>) {
        let wake = if let Ok(event) = event {
            self.understand(&event)
        } else {
            Some(self.tear())
        };
        if let Some(wake) = wake {
            // nobody listens any more when the program ends
            let _ = self.wakes.send(wake);
        }
    }

    fn understand(&self, event: &Event) -> Option<Wake> {
        use AccessKind::Close;
        // our own reading makes events too
        if matches!(event.kind, EventKind::Access(kind) if kind != Close(AccessMode::Write)) {
            return None;
        }
        if event.need_rescan() || event.paths.is_empty() {
            self.note(|bustle| {
                bustle.is_vague = true;
                bustle.has_lost = true;
            });
            return Some(Wake::Folder);
        }
        let is_move = matches!(
            event.kind,
            EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_))
        );
        let mut wake = None;
        // an editor that moves the text aside before it writes the new one leaves a gap; a move within the folder none
        let stays = |path: &Path| self.is_inside(path) && self.concerns_us(path);
        let moved = matches!(
            event.kind,
            EventKind::Modify(ModifyKind::Name(RenameMode::Both))
        ) && event.paths.last().is_some_and(|to| stays(to));
        let last = event.paths.len() - 1;
        for (index, path) in event.paths.iter().enumerate() {
            if self.is_inside(path) {
                if self.concerns_us(path) {
                    let end = match (moved, index == last) {
                        (true, false) => End::Left,
                        (false, false) => End::Lost,
                        (_, true) => End::Here,
                    };
                    if self.take_in(event.kind, end, path) {
                        wake = Some(Wake::Folder);
                    }
                } else if let Some(place) = folder::target_of(path) {
                    self.finished.expect(place, path);
                }
            } else if self.is_ourselves(path) {
                // moved away and back again it would be the same, and be watched no more
                wake = Some(if is_move { self.tear() } else { Wake::Look });
            } else if path.file_name().map(Path::new) == self.config.as_deref() {
                wake = Some(Wake::Look);
            }
        }
        wake
    }

    fn is_inside(&self, path: &Path) -> bool {
        self.root
            .as_deref()
            .is_some_and(|root| path.starts_with(root) && path != root)
    }

    /// Whether this is the folder itself, or a link to it.
    fn is_ourselves(&self, path: &Path) -> bool {
        [&self.name, &self.root]
            .iter()
            .any(|known| known.as_deref() == Some(path))
    }

    /// Whatever was not heard is found when another watch takes over, and hears what comes.
    fn tear(&self) -> Wake {
        lock(&self.bustle).hearing = Hearing::Torn;
        self.stirred.store(true, Ordering::Relaxed);
        Wake::Folder
    }

    fn concerns_us(&self, path: &Path) -> bool {
        let inside = self
            .root
            .as_deref()
            .and_then(|root| path.strip_prefix(root).ok());
        let Some(inside) = inside else {
            return true;
        };
        // what articles are links to may change at once with one link that is hidden: Kubernetes swaps `..data`
        let is_swapped = inside
            .file_name()
            .is_some_and(|name| name.as_bytes().starts_with(b".."));
        let above = if is_swapped {
            inside.parent().unwrap_or(inside)
        } else {
            inside
        };
        let mut parts = above.components();
        !parts.any(|part| folder::is_ignored(part.as_os_str()))
    }

    fn note(&self, change: impl FnOnce(&mut Bustle)) {
        let now = clock();
        let mut bustle = lock(&self.bustle);
        let first = bustle.pending.map_or(now, |(first, _)| first);
        bustle.pending = Some((first, now));
        change(&mut bustle);
        self.stirred.store(true, Ordering::Relaxed);
    }

    /// Notes what happened to a file or folder. Whether anybody is to look at it.
    fn take_in(&self, kind: EventKind, end: End, path: &Path) -> bool {
        let is_asset = || path.file_name().is_some_and(folder::is_asset);
        let is_written = matches!(
            kind,
            EventKind::Create(CreateKind::File) | EventKind::Modify(ModifyKind::Data(_))
        );
        let is_copied = is_written && is_asset();
        // more of the same file is no news: who waits for it looks at it
        if is_copied && !self.finished.open(path) {
            return false;
        }
        let whole = |bustle: &mut Bustle| {
            self.finished.put(path);
            bustle.open.remove(path);
            bustle.copying.remove(path);
            bustle.gone.remove(path);
            if path.is_dir() {
                bustle.is_vague = true;
                bustle.hearing = bustle.hearing.max(Hearing::Grown);
                bustle.echoes.extend(ECHOES.map(|echo| clock() + echo));
            }
        };
        let gone = |bustle: &mut Bustle| {
            self.finished.take(path);
            bustle.open.remove(path);
            bustle.copying.remove(path);
            bustle.gone.insert(path.to_owned());
        };
        let act = |bustle: &mut Bustle| match kind {
            EventKind::Access(_) | EventKind::Modify(ModifyKind::Name(RenameMode::To)) => {
                whole(bustle);
            }
            _ if end == End::Left => {
                bustle.gone.remove(path);
            }
            _ if end == End::Lost => gone(bustle),
            EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => whole(bustle),
            EventKind::Modify(ModifyKind::Name(_))
            | EventKind::Remove(
                RemoveKind::File | RemoveKind::Folder | RemoveKind::Any | RemoveKind::Other,
            ) => {
                gone(bustle);
            }
            EventKind::Create(CreateKind::Folder) => {
                bustle.is_vague = true;
                bustle.hearing = bustle.hearing.max(Hearing::Grown);
                bustle.gone.remove(path);
                bustle.echoes.extend(ECHOES.map(|echo| clock() + echo));
            }
            _ if is_copied => {
                bustle.gone.remove(path);
                bustle.copying.insert(path.to_owned());
            }
            EventKind::Create(_) => {
                bustle.gone.remove(path);
                bustle.open.insert(path.to_owned());
            }
            EventKind::Modify(ModifyKind::Data(_)) => {
                let _ = self.finished.open(path);
                bustle.open.insert(path.to_owned());
            }
            _ => {}
        };
        self.note(|bustle| {
            bustle.heard.insert(path.to_owned());
            act(bustle);
        });
        true
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "how long ago an event was, whatever the time of day"
)]
pub(crate) fn clock() -> Instant {
    Instant::now()
}
