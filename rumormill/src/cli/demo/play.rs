//! The play in motion: it gives orders, listens to what is said, and shows it.

use std::{process, time::Duration};

use rumormill::identity::SecretKey;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use super::{
    Error,
    cast::Cast,
    claim::{Claim, all_hold},
    folder::Folder,
    happening::Happening,
    order::{Order, Start},
    patience::patience,
    plan::Plan,
    said::now,
    screen::Screen,
    story::{Life, Story},
};
use crate::cli::{Result, signals::Signals};

/// The play in motion.
pub(super) struct Play {
    pub(super) plan: Plan,
    pub(super) story: Story,
    pub(super) began: u64,
    // Before the folder, so that nobody is left who could write there.
    cast: Cast,
    folder: Folder,
    cluster: String,
    /// Names and ids.
    ids: Vec<(String, String)>,
    screen: Screen,
    signals: Signals,
    claims: Vec<Claim>,
}

impl Play {
    /// A folder with a key for each node; nobody has started.
    pub(super) fn begin(plan: Plan, is_json: bool) -> Result<Self> {
        // First, so that no signal finds a folder that nobody removes.
        let signals = Signals::new()?;
        let began = now();
        let folder = Folder::create(&format!("{}-{:x}", process::id(), began & 0xff_ffff));
        let folder = folder.map_err(|(path, source)| Error::Folder { path, source })?;
        let mut ids = Vec::new();
        for part in &plan.cast {
            let key = SecretKey::generate();
            key.save(folder.path().join(format!("{}.key", part.name)))?;
            ids.push((part.name.to_owned(), key.node().to_string()));
        }
        // A name that no other cluster has, which may run right beside this one.
        let cluster = format!("demo-{}", SecretKey::generate().node());
        let screen = Screen::new(is_json, plan.cast.len(), began);
        let (story, cast) = (Story::new(&plan), Cast::new(plan.cast.len()));
        let claims = Vec::new();
        Ok(Self { plan, story, began, cast, folder, cluster, ids, screen, signals, claims })
    }

    /// Plays to the end; tells whether everything came true.
    pub(super) async fn run(mut self) -> Result<bool> {
        self.tell(&Happening::Opening {
            at: now(),
            nodes: self.plan.cast.len(),
            schemes: self.plan.schemes.clone(),
            chaos: (!self.plan.chaos.is_calm()).then(|| self.plan.chaos.to_string()),
        })?;
        self.acts().await?;
        self.curtain().await?;
        self.screen.end(&self.claims, now())?;
        Ok(all_hold(&self.claims))
    }

    /// Ends all processes, and removes their files.
    async fn curtain(&mut self) -> Result<()> {
        for node in &mut self.story.nodes {
            if matches!(node.life, Life::Starting | Life::Up) {
                node.life = Life::Ending;
            }
        }
        self.cast.end();
        let is_over = |story: &Story| story.nodes.iter().all(|node| node.life.is_over());
        self.until(Duration::from_secs(5), is_over).await?;
        let is_gone = self.folder.remove();
        self.claim(self.story.clean(is_gone))
    }

    /// Starts a process, and tells it who it is.
    pub(super) fn start(&mut self, at: usize) -> Result<()> {
        let pid = self.cast.start(at).map_err(|source| Error::Process { source })?;
        self.story.start(at, pid);
        let part = &self.plan.cast[at];
        let folder = self.folder.path().to_path_buf();
        let socket = folder.join(format!("{}.sock", part.name));
        let listen = part.schemes.iter().map(|scheme| match is_local(scheme) {
            true => format!("{scheme}://{}", socket.display()),
            false => format!("{scheme}://127.0.0.1:0"),
        });
        let start = Start {
            cluster: self.cluster.clone(),
            name: part.name.into(),
            listen: listen.collect(),
            folder,
            nodes: self.ids.clone(),
            chaos: self.plan.chaos,
        };
        self.cast.order(at, &Order::Start(start));
        Ok(())
    }

    pub(super) fn order(&mut self, at: usize, order: &Order) {
        self.cast.order(at, order);
    }

    /// Kills a process; tells when.
    pub(super) fn kill(&mut self, at: usize) -> u64 {
        self.story.nodes[at].life = Life::Killed;
        self.cast.kill(at)
    }

    /// Listens until something is so, but no longer than everybody should need; tells whether it is.
    pub(super) async fn until(
        &mut self,
        base: Duration,
        is_so: impl Fn(&Story) -> bool,
    ) -> Result<bool> {
        let calm = self.plan.chaos.is_calm();
        let patience = patience(base, self.plan.cast.len(), calm);
        self.listen(Instant::now() + patience, is_so).await
    }

    /// Listens for some time, to see how it goes; tells whether it can go on.
    pub(super) async fn watch(&mut self, span: Duration) -> Result<bool> {
        self.listen(Instant::now() + span, |_| false).await?;
        Ok(self.story.trouble.is_none())
    }

    async fn listen(&mut self, until: Instant, is_so: impl Fn(&Story) -> bool) -> Result<bool> {
        let mut frames = interval(FRAME);
        frames.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            if is_so(&self.story) {
                return Ok(true);
            }
            if self.story.trouble.is_some() {
                return Ok(false);
            }
            tokio::select! {
                biased;
                () = self.signals.next() => return Err(Error::Interrupted.into()),
                _ = frames.tick() => self.screen.refresh(&self.story)?,
                said = timeout_at(until, self.cast.recv()) => match said {
                    Ok(Some((by, said))) => {
                        if let Some(happening) = self.story.hear(by, said) {
                            self.tell(&happening)?;
                        }
                    }
                    Ok(None) | Err(_) => return Ok(is_so(&self.story)),
                },
            }
        }
    }

    pub(super) fn tell(&mut self, happening: &Happening) -> Result<()> {
        self.screen.tell(happening, &self.story)
    }

    /// An act begins.
    pub(super) fn act(&mut self, name: &'static str, about: String) -> Result<()> {
        self.tell(&Happening::Act { at: now(), name, about })
    }

    pub(super) fn note(&mut self, text: String) -> Result<()> {
        self.tell(&Happening::Note { at: now(), text })
    }

    /// Shows what came true, or did not.
    pub(super) fn claim(&mut self, claim: Claim) -> Result<()> {
        self.tell(&Happening::Claim { at: now(), claim: claim.clone() })?;
        self.claims.push(claim);
        Ok(())
    }

    /// The end of an act; tells whether the next one can begin.
    pub(super) fn pause(&mut self) -> Result<bool> {
        self.screen.pause(&self.story, now())?;
        Ok(self.story.trouble.is_none() && all_hold(&self.claims))
    }

    /// What was to be shown and was not: it did not come true.
    pub(super) fn claim_unseen(&mut self, names: &[&'static str]) -> Result<()> {
        let why = self.story.trouble.clone().unwrap_or_else(|| "what came before failed".into());
        let is_seen = |name| self.claims.iter().any(|claim| claim.name == name);
        let unseen: Vec<_> = names.iter().filter(|name| !is_seen(**name)).collect();
        unseen.into_iter().try_for_each(|name| self.claim(Claim::unseen(name, &why)))
    }

    /// Whether traffic can move from one transport to another.
    pub(super) fn can_move(&self) -> bool {
        1 < self.plan.schemes.len()
    }
}

/// How often a live table is drawn.
const FRAME: Duration = Duration::from_millis(100);

/// Whether a transport leads to nobody beyond this machine, so that a path is its address.
fn is_local(scheme: &str) -> bool {
    let registry = rumormill::registry();
    registry.is_ok_and(|registry| {
        registry.factories().any(|factory| factory.scheme == scheme && factory.caps.local_only)
    })
}
