//! What a broker does from its start to its end.

use std::{process::ExitCode, time::Duration};

use rumormill::{config::broker::Loaded, hub::Hub, transport::with_causes};
use serde_json::{Value, json};

use super::Error;
use crate::cli::{
    Result,
    node::{
        hooks::{Hooks, Reload},
        life::{Reloaded, every, tell_changes, tick},
        manager::Manager,
        settings::{Settings, apply},
        watch::Watch,
    },
    output, remainder,
    signals::{Hangups, Signals},
};

/// A broker, and everybody who tells it what to do or is told what it does.
pub(super) struct Life {
    pub(super) hub: Hub,
    pub(super) settings: Settings<Loaded>,
    pub(super) watch: Watch,
    pub(super) hooks: Hooks,
    pub(super) signals: Signals,
    pub(super) hangups: Hangups,
    pub(super) manager: Manager,
    pub(super) is_json: bool,
}

impl Life {
    pub(super) async fn run(mut self) -> Result<ExitCode> {
        for addr in self.hub.addresses() {
            let addr = addr.to_string();
            self.tell(
                &json!({ "event": "listening", "address": addr }),
                &format!("listening on {addr}"),
            );
        }
        self.tell(&json!({ "event": "ready" }), "ready");
        self.manager.ready();
        self.tell_status();
        self.live().await;
        self.manager.stopping();
        let within = self.hub.config().server.stop_deadline;
        output::note(format_args!(
            "stopping within {within:?}; a second signal ends the broker at once"
        ));
        let report = tokio::select! {
            biased;
            () = self.signals.next() => return Err(Error::CutShort.into()),
            report = self.hub.stop() => report,
        };
        remainder::tell(&report);
        let left: u64 = report.left.iter().map(|it| it.left.messages).sum();
        self.tell(&remainder::value(&report), &format!("stopped; messages left: {left}"));
        match report.left.is_empty() {
            true => Ok(ExitCode::SUCCESS),
            false => Ok(ExitCode::FAILURE),
        }
    }

    /// Nobody has to read what it prints.
    fn tell(&self, object: &Value, text: &str) {
        let line = if self.is_json { output::in_line(object) } else { text.into() };
        output::line(line).unwrap_or_default();
    }

    async fn live(&mut self) {
        let mut looks = every(LOOK);
        let mut pulses = self.manager.pulse().map(every);
        loop {
            tokio::select! {
                () = self.signals.next() => return,
                () = self.hub.stopped() => return,
                () = self.hangups.next() => drop(self.reload_aloud().await),
                Some(reload) = self.hooks.next() => self.on_reload(reload).await,
                () = tick(&mut pulses) => self.manager.alive(),
                _ = looks.tick() => self.on_look(),
                is_due = self.watch.is_due() => if is_due {
                    drop(self.reload_aloud().await);
                },
            }
        }
    }

    fn on_look(&mut self) {
        self.tell_status();
        let files = self.settings.files(&self.hub.config());
        self.settings.look(&mut self.watch, files);
    }

    fn tell_status(&self) {
        if self.manager.is_there() {
            let stats = self.hub.broker().stats();
            let (conns, topics) = (stats.conns, stats.topics.len());
            self.manager.status(&format!("conns: {conns}, topics: {topics}"));
        }
    }

    /// The administration is told what comes of it, besides.
    async fn on_reload(&mut self, reload: Reload) {
        let done = match reload.is_dry_run() {
            true => self.rehearse().await,
            false => self.reload_aloud().await,
        };
        reload.answer(done);
    }

    /// What a reload would change.
    async fn rehearse(&self) -> Reloaded {
        let loaded = self.settings.rehearse().await?;
        self.hub.rehearse(&loaded).map_err(|error| with_causes(&error))
    }

    async fn reload_aloud(&mut self) -> Reloaded {
        self.manager.reloading();
        let reloaded = self.reload().await;
        match &reloaded {
            Ok(changes) => tell_changes(changes),
            Err(text) => text.lines().for_each(output::error),
        }
        self.manager.ready();
        self.tell_status();
        reloaded
    }

    /// Reads the configuration and takes it over, or tells why not: nothing has changed then.
    async fn reload(&mut self) -> Reloaded {
        let before = self.settings.files(&self.hub.config());
        let loaded = self.settings.reread(&mut self.watch, before.clone()).await?;
        let changes = self.hub.reload(&loaded).map_err(|error| with_causes(&error))?;
        apply(&loaded.config.log);
        let files = self.settings.files(&loaded.config);
        if files != before {
            self.settings.watch_others(&mut self.watch, files).await;
        }
        Ok(changes)
    }
}

/// How often files are looked at, and the status is told.
const LOOK: Duration = Duration::from_secs(1);
