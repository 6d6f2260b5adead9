//! Carries a plan out in the world in memory, as AWS would: with its conditions, and its refusals.
use tidegate_core::ids::{RevisionId, Version};
use tidegate_core::live::{LiveAlias, LiveVersion, UpdateStatus, VersionState};
use tidegate_core::marker::Marker;
use tidegate_core::plan::{Action, Plan};
use tidegate_core::smoke;
use tidegate_core::state::{NotPushed, Phase, Pushed, ServiceState};

use super::{Crash, Sim};
use crate::build::v;

impl Sim {
    pub(crate) fn execute(&mut self, plan: &Plan, crash: Option<Crash>) -> Result<(), &'static str> {
        let mut published = None;
        for (index, action) in plan.actions.iter().enumerate() {
            if matches!(crash, Some(Crash::Before(at)) if at == index) {
                return Err("it died before the call");
            }
            self.apply(action, &mut published)?;
            if matches!(crash, Some(Crash::After(at)) if at == index) {
                return Err("it died before the answer");
            }
        }
        Ok(())
    }

    fn apply(&mut self, action: &Action, published: &mut Option<Version>) -> Result<(), &'static str> {
        match action {
            Action::SaveState(state) => self.state = Some((**state).clone()),
            Action::SavePublished(state) => {
                let version = published.ok_or("nothing was published")?;
                let phase = Phase::Preparing { version, reused: false, smoke: None };
                self.state = Some(state.moved_to(phase, self.now));
            }
            Action::ClearState => self.state = None,
            Action::AppendRecord(record) => {
                let last = self.head.as_ref().map_or(0, |head| head.number.0);
                assert_eq!(record.number.0, last + 1, "numbers are without gaps: {record:?}");
                self.append((**record).clone());
            }
            Action::RestoreHead(head) => {
                assert_eq!(self.head.as_ref(), Some(&**head), "it is what was lost");
                self.head_lost = false;
            }
            Action::WriteRegistry { version, tag } => self.registry = Some((*version, tag.clone())),
            Action::SetReservedConcurrency { concurrency } => {
                let function = self.function.as_mut().ok_or("404")?;
                function.latest.reserved_concurrency = Some(*concurrency);
                function.versions.values_mut().for_each(|version| version.reserved_concurrency = Some(*concurrency));
            }
            Action::UpdateConfiguration { change, if_revision } => {
                let latest = self.update(if_revision)?;
                let configuration = &mut latest.configuration;
                configuration.memory_size = change.memory_size.unwrap_or(configuration.memory_size);
                configuration.timeout = change.timeout.unwrap_or(configuration.timeout);
                configuration.environment = change.environment.clone().or_else(|| configuration.environment.take());
            }
            Action::UpdateCode { source, if_revision } => {
                let wanted = self.wanted.clone().map_err(|_| "nothing is wanted")?;
                assert_eq!(*source, wanted.source);
                let latest = self.update(if_revision)?;
                latest.code = Some(wanted.code);
                let model = LiveVersion { last_update: UpdateStatus::Successful, ..latest.clone() };
                *published = Some(self.publish(model, true));
            }
            Action::RestoreLatest { source, if_revision } => {
                let wanted = self.wanted.clone().map_err(|_| "nothing is wanted")?;
                assert_eq!(*source, wanted.source);
                self.update(if_revision)?.code = Some(wanted.code);
            }
            Action::PublishVersion { code, if_revision } => {
                let latest = self.writable(if_revision)?.clone();
                if latest.code.as_ref() != Some(code) {
                    return Err("400: CodeSha256");
                }
                *published = Some(self.publish(latest, false));
            }
            Action::CreateAlias { version, marker } | Action::RecreateAlias { version, marker } => {
                if self.alias.is_some() {
                    return Err("409");
                }
                self.write_alias(*version, marker);
            }
            Action::UpdateAlias { version, marker, if_revision } | Action::Return { version, marker, if_revision } => {
                self.unchanged_alias(if_revision)?;
                self.write_alias(*version, marker);
            }
            Action::SetWeight { stable, canary, marker, if_revision } => {
                self.unchanged_alias(if_revision)?;
                self.write_alias(canary.version, marker);
                let alias = self.alias.as_mut().ok_or("404")?;
                (alias.version, alias.additional) = (Some(*stable), Some(*canary));
            }
            Action::PointPreview { version, marker, if_revision, .. } => {
                assert_eq!(self.preview.as_ref().map(|alias| &alias.revision), if_revision.as_ref());
                let revision = self.next_revision();
                self.preview = Some(LiveAlias {
                    version: Some(*version),
                    additional: None,
                    marker: Some(marker.clone()),
                    revision,
                });
            }
            Action::Wake { version, .. } => {
                let woken = self.function().versions.get_mut(version).ok_or("404")?;
                woken.state = VersionState::Pending;
            }
            Action::PushRevert { revert, state } => {
                let outcome = match self.pushed.as_mut().ok_or("nobody is told of rollbacks")? {
                    Err(problem) => Err(NotPushed { problem: problem.clone(), is_final: problem.starts_with("never") }),
                    Ok(branches) => {
                        let branch = format!("{} back to {}", revert.number, revert.live.label());
                        branches.push(branch.clone());
                        Ok(Pushed { branch, url: None, without_edit: None })
                    }
                };
                self.state = state.reverted(outcome).or_else(|| self.state.clone());
            }
            Action::SmokeTest { test, state, .. } => {
                let Phase::Preparing { version, reused, ref smoke } = state.phase else {
                    return Err("not being prepared");
                };
                let smoke = Some(smoke::judge(test, &self.invoked, smoke.as_ref(), self.now));
                self.state =
                    Some(ServiceState { phase: Phase::Preparing { version, reused, smoke }, ..(**state).clone() });
                let woken = self.version(version.to_string().parse().unwrap());
                if woken.state == VersionState::Inactive {
                    woken.state = VersionState::Pending;
                }
            }
        }
        Ok(())
    }

    fn writable(&mut self, if_revision: &RevisionId) -> Result<&mut LiveVersion, &'static str> {
        let next = self.next_revision();
        let latest = &mut self.function.as_mut().ok_or("404")?.latest;
        if latest.last_update == UpdateStatus::InProgress {
            return Err("409");
        }
        if latest.revision != *if_revision {
            return Err("412");
        }
        latest.revision = next;
        Ok(latest)
    }

    /// `$LATEST`, from now on being updated.
    fn update(&mut self, if_revision: &RevisionId) -> Result<&mut LiveVersion, &'static str> {
        let before = self.writable(if_revision)?.clone();
        let function = self.function();
        function.before = Some(before);
        function.latest.last_update = UpdateStatus::InProgress;
        Ok(&mut function.latest)
    }

    /// A version like `model`; the same number again where nothing changed since the last one.
    ///
    /// Code that is sent again counts as changed here; nobody has seen what AWS does then.
    fn publish(&mut self, model: LiveVersion, changed: bool) -> Version {
        let function = self.function();
        let last = function.versions.values().next_back();
        let is_same = |last: &&LiveVersion| (&last.code, &last.configuration) == (&model.code, &model.configuration);
        if let Some(same) = last.filter(is_same).filter(|_| !changed) {
            return same.version.unwrap();
        }
        let number =
            v(last.and_then(|last| last.version).map_or(1, |last| last.to_string().parse::<u64>().unwrap() + 1));
        let version = LiveVersion { version: Some(number), state: VersionState::Pending, ..model };
        function.versions.insert(number, version);
        number
    }

    fn write_alias(&mut self, version: Version, marker: &Marker) {
        let state = &self.function().versions.get(&version).expect("an alias names versions that exist").state;
        assert_eq!(*state, VersionState::Active, "an alias of ours names active versions only");
        let revision = self.next_revision();
        self.alias_writes += 1;
        self.alias =
            Some(LiveAlias { version: Some(version), additional: None, marker: Some(marker.clone()), revision });
    }

    fn unchanged_alias(&self, if_revision: &RevisionId) -> Result<(), &'static str> {
        let alias = self.alias.as_ref().ok_or("404")?;
        if alias.revision == *if_revision { Ok(()) } else { Err("412") }
    }
}
