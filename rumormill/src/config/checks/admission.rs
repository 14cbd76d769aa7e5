//! Whether it is settled who may be a member, and whether this node would be one.

use super::Checks;
use crate::config::draft::Draft;

impl Checks<'_, Draft> {
    pub(super) fn check_admission(&mut self) {
        match *self.chosen() {
            [] if !self.broken.iter().any(|key| key.starts_with(OPEN)) => {
                self.missing(OPEN, REMEDY);
            }
            [NODES] => self.check_nodes(),
            [ISSUERS] => self.check_issuers(),
            [] | [_] => (),
            [first, ref others @ ..] => {
                others.iter().for_each(|other| self.against_both(first, other));
            }
        }
        let admission = &self.draft.admission;
        if admission.revocations.is_some() && admission.issuers.is_none() {
            self.against("admission.revocations", "but tickets count only with admission.issuers");
        }
        if self.draft.node.ticket.is_some() && self.draft.node.identity.is_none() {
            let problem = "but a ticket is for one key; name that key's file by node.identity";
            self.against_beside("node.ticket", IDENTITY, problem);
        }
    }

    /// The keys that say who may be a member: one, if all is well.
    fn chosen(&self) -> Vec<&'static str> {
        let admission = &self.draft.admission;
        let open = admission.open.map(|_| OPEN);
        let nodes = admission.nodes.as_ref().map(|_| NODES);
        let issuers = admission.issuers.as_ref().map(|_| ISSUERS);
        [open, nodes, issuers].into_iter().flatten().collect()
    }

    fn against_both(&mut self, key: &'static str, other: &'static str) {
        let (later, first) = self.by_order(other, key);
        let problem = format!("but {first} is set, too; choose one of them");
        self.against_beside(later, first, &problem);
    }

    fn check_nodes(&mut self) {
        if self.draft.admission.nodes.iter().any(|nodes| nodes.is_empty()) {
            let problem = "but then nobody is a member; list the cluster's nodes";
            self.against(NODES, problem);
        } else if self.draft.node.identity.is_none() {
            let problem = "but no list has the fresh key that this node makes at each start; name \
                           its key's file by node.identity";
            self.against_beside(NODES, IDENTITY, problem);
        }
    }

    fn check_issuers(&mut self) {
        if self.draft.admission.issuers.iter().any(|issuers| issuers.is_empty()) {
            self.against(ISSUERS, "but then nobody is a member; list whose tickets count");
        } else if self.draft.node.ticket.is_none() {
            let problem = "but this node has none of their tickets; name its file by node.ticket";
            self.against_beside(ISSUERS, "node.ticket", problem);
        }
    }
}

const OPEN: &str = "admission";
const NODES: &str = "admission.nodes";
const ISSUERS: &str = "admission.issuers";
const IDENTITY: &str = "node.identity";
const REMEDY: &str = "choose who may be a member: admission.nodes, admission.issuers, or admission \
                      = \"open\" for anybody";
