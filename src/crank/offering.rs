//! What the crank offers: the edition with the pages that are made of it, encoded quickly at first and better later.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::mpsc::{Sender, TryRecvError};

use super::{Crank, TICK, elsewhere, offer};
use crate::edition::encode;
use crate::problem::Problem;
use crate::served::Served;
use crate::watch::{Wake, clock};

impl Crank {
    /// Offers the last edition as it lies on disk, if all its feeds are whole: then nothing needs to be read first, and
    /// what is not encoded yet will be when it has been offered.
    pub fn load(&mut self) -> bool {
        let disk = self.disk();
        self.stamp = disk.stamp();
        let Ok(Some(manifest)) = disk.manifest(&mut Vec::new()) else {
            return false;
        };
        let Some(documents) = disk.load(&manifest) else {
            return false;
        };
        let exhibits = documents.iter().map(offer::loaded);
        let served = Served::new(&self.terms(), &manifest, exhibits, self.served().as_deref());
        self.manifest = Some(manifest);
        self.offer_with_leaves(served);
        true
    }

    /// Another publisher's edition, such as that of a `tidings build` beside us, is offered too.
    pub(super) fn follow(&mut self) {
        let stamp = self.disk().stamp();
        if self.manifest.is_some() && stamp.is_some() && stamp != self.stamp && self.load() {
            self.offer_encoded();
        }
    }

    /// Offers what the turn published, with the pages that are made of it and all encodings.
    pub(super) fn load_again(&mut self) {
        let terms = self.terms();
        let is_offered = match self.served().filter(|served| served.is_made_of(&terms)) {
            Some(served) => {
                self.offer_with_leaves((*served).clone());
                true
            }
            None => self.load(),
        };
        if is_offered {
            self.offer_encoded();
        }
    }

    /// Adds what is made of the documents, and offers it.
    fn offer_with_leaves(&mut self, served: Served) {
        let terms = self.terms();
        let before = self.served();
        let mut leaves = self.gallery.leaves(&self.config, &terms.site, &served);
        let made = self.manifest.as_ref().and_then(elsewhere::made_at);
        for leaf in &mut leaves {
            leaf.made = made.map(Into::into);
        }
        let (served, astray) =
            served.with_leaves(&leaves, &terms, before.as_deref(), (self.clock)());
        for path in astray.iter().filter(|path| !self.astray.contains(path)) {
            let what = format!("the alias `/{path}` leads to nothing that is published");
            let problem = Problem::warning(&self.config.name, what)
                .remedy("let it lead to the path of a feed, such as `/rss.xml`");
            self.herald.problem(&problem);
        }
        self.astray = astray;
        self.window
            .store(Some(Arc::new(offer::offer(served, &self.config))));
        if let Some(manifest) = &self.manifest {
            self.herald.published(manifest, &self.config);
        }
    }

    /// Encodes what is offered and is not encoded yet, and offers that.
    pub(super) fn offer_encoded(&mut self) {
        let Some(served) = self.served() else { return };
        let encoded = offer::encoded(&served);
        if !encoded.is_empty() {
            let served = (*served).clone().with(encoded);
            self.window
                .store(Some(Arc::new(offer::offer(served, &self.config))));
        }
    }

    /// Lets better encodings be made of what was encoded quickly, on a thread of their own: the best take seconds, and
    /// nobody who saves an article waits for them.
    pub(super) fn improve(&mut self, waker: &Sender<Wake>) {
        let Some(served) = self.served().filter(|_| self.better.is_none()) else {
            return;
        };
        let mut worse: Vec<_> = served
            .resources()
            .filter(|(_, resource)| resource.has_encodings() && !self.best.contains(&resource.tag))
            .map(|(path, resource)| (path.to_owned(), Arc::clone(resource)))
            .collect();
        if worse.is_empty() {
            return;
        }
        // what most readers ask for comes first
        worse.sort_by_cached_key(|(path, _)| (path.matches('/').count(), path.clone()));
        let (done, better) = std::sync::mpsc::channel();
        let waker = waker.clone();
        // not on the threads that encode what was just saved: they would have to wait for it
        let work = move || {
            encode::give_way();
            let mut told = clock();
            for (path, resource) in worse {
                let better = offer::better(&resource);
                // whoever stopped meanwhile needs none
                if done.send((path, better)).is_err() {
                    return;
                }
                // of many the last takes minutes: they are taken over some at a time
                if told.elapsed() >= TICK {
                    told = clock();
                    let _ = waker.send(Wake::Improved);
                }
            }
            drop(done);
            let _ = waker.send(Wake::Improved);
        };
        let thread = std::thread::Builder::new().name("encodings".to_owned());
        self.better = thread.spawn(work).is_ok().then_some(better);
    }

    /// Takes over the better encodings, as far as they are of what is offered still.
    pub(super) fn improved(&mut self) {
        let Some(made) = &self.better else { return };
        let mut better = Vec::new();
        loop {
            match made.try_recv() {
                Ok(one) => better.push(one),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    self.better = None;
                    break;
                }
            }
        }
        let Some(served) = self.served().filter(|_| !better.is_empty()) else {
            return;
        };
        let disk = self.disk();
        let mut kept = Vec::new();
        for (path, resource) in better {
            let offered = served.resource(&path);
            let same = resource.zip(offered);
            let Some((resource, offered)) = same.filter(|(better, now)| better.tag == now.tag)
            else {
                continue;
            };
            // its headers may be other ones by now
            let resource = Arc::new(offered.encoded(&resource.encodings()));
            let documents = self.manifest.as_ref().map(|manifest| &manifest.documents);
            let published = documents.and_then(|documents| documents.get(&resource.route));
            if let Some(published) = published.filter(|_| !resource.is_leaf) {
                // what cannot be improved is good enough
                let _ = disk.improve(&resource.route, published, &resource.encodings());
            }
            self.best.insert(resource.tag.clone());
            kept.push((path, resource));
        }
        let tags: HashSet<&String> = served
            .resources()
            .map(|(_, resource)| &resource.tag)
            .collect();
        self.best.retain(|tag| tags.contains(tag));
        let served = (*served).clone().with(kept);
        self.window
            .store(Some(Arc::new(offer::offer(served, &self.config))));
    }
}
