//! What must hold after every call, each with its number and text: read from what AWS holds, not from what was believed.
mod ending;
mod isolation;
mod limits;
mod publishing;
mod records;
mod secrets;
mod traffic;
mod writes;

use std::fmt;

use chrono::{DateTime, Utc};
use local_aws::inspect::{AliasView, FunctionView};
use local_aws::{Call, LocalAws};
use serde_json::Value;
use tidegate_core::history::{Head, Kind, Record};
use tidegate_core::ids::Version;
use tidegate_core::state::{Phase, ServiceState};
use tidegate_runtime::store::desired::DesiredDocument;

use crate::facts::{Facts, Known, Running, Who};
use crate::release::{Place, Wanted};
use crate::world;

pub use ending::{ended, quiet};
pub use isolation::{Trace, others_are_left_alone};
pub use limits::finished;
pub use secrets::{SECRET, spoken};
pub(crate) use writes::refused;

/// Something that must hold did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The invariant's number.
    pub invariant: u8,
    /// What happened.
    pub what: String,
}

impl Violation {
    pub(crate) fn of(invariant: u8, what: impl Into<String>) -> Self {
        Self { invariant, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invariant {} ({}): {}", self.invariant, text(self.invariant), self.what)
    }
}

/// What an invariant says.
#[must_use]
pub const fn text(invariant: u8) -> &'static str {
    match invariant {
        1 => "an alias names published, active versions that history knows, alike in role and dead-letter target",
        2 => "a weight rises by one declared step, after its time and with a stored pass for the step before",
        3 => "at most two versions, weights from 0 to 1, and explicit weights in every write",
        4 => "once all stands still, live becomes what Git wants or what was good before, and stays",
        5 => "at most one version is published for one release",
        6 => "one record a finished transition, without gaps, chained; the intent is stored before the effect",
        7 => "a release that was rolled back gets no traffic until Git changes or a person lifts the hold",
        8 => "a rollback is at most one mutating Lambda call, to a version that was live before",
        9 => "every write is conditional where AWS lets it be, and a tick without the lease writes nothing",
        10 => "a fault in one service changes nothing of another but a bounded delay",
        11 => "missing, invalid or partial input leads to no forward or destructive write",
        12 => "edits by people, and nothing else, are recorded as such before anything answers them",
        13 => "what is served is what was pinned, and commits descend from those applied before",
        14 => "no secret appears anywhere",
        15 => "calls, memory and time stay within their budgets",
        16 => "nothing live is deleted",
        _ => "no such invariant",
    }
}

/// The moment after a call.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    /// The world.
    pub aws: &'a LocalAws,
    /// What was true before the call.
    pub facts: &'a Facts,
    /// Whose call it is.
    pub who: &'a Who,
    /// The call.
    pub call: &'a Call,
    /// What it is about.
    pub resource: &'a str,
    /// The answer's status.
    pub status: Option<u16>,
    /// The service that it is about, where there is one.
    pub place: Option<Place>,
    /// The function after it, where it is about one.
    pub after: Option<&'a FunctionView>,
}

/// A write of an alias that had an effect.
pub(crate) struct AliasWrite<'a> {
    pub(crate) place: Place,
    pub(crate) known: &'a Known,
    pub(crate) function: &'a FunctionView,
    pub(crate) name: &'a str,
    pub(crate) before: Option<&'a AliasView>,
    pub(crate) after: &'a AliasView,
}

impl<'a> Moment<'a> {
    /// The command that made the call, where a process did.
    pub(crate) fn running(&self) -> Option<&'a Running> {
        match self.who {
            Who::Process(running) => Some(running),
            Who::Person => None,
        }
    }

    /// Whether traffic returns: a person's rollback or abort, or the stored intent to turn back.
    pub(crate) fn goes_back(&self) -> bool {
        let word = self.running().and_then(|running| running.word).map(|(_, word)| word);
        matches!(word, Some("rollback" | "abort"))
            || self.state().is_some_and(|state| matches!(state.phase, Phase::Returning { .. }))
    }

    pub(crate) fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| status < 300)
    }

    pub(crate) fn known(&self) -> Option<&'a Known> {
        self.facts.functions.get(&self.place?)
    }

    pub(crate) fn body(&self) -> Value {
        serde_json::from_slice(&self.call.body).unwrap_or(Value::Null)
    }

    /// The alias that this call changed.
    pub(crate) fn alias_write(&self) -> Option<AliasWrite<'a>> {
        if !matches!(self.call.operation, "UpdateAlias" | "CreateAlias") || !self.succeeded() {
            return None;
        }
        let (place, known, function) = (self.place?, self.known()?, self.after?);
        let name = self.resource.split(':').nth(1)?;
        let after = function.aliases.get(name)?;
        let before = known.view.as_ref().and_then(|view| view.aliases.get(name));
        Some(AliasWrite { place, known, function, name: after_name(function, name)?, before, after })
    }

    pub(crate) fn state(&self) -> Option<ServiceState> {
        let (environment, service) = self.place?;
        document(self.aws, &format!("state/{environment}/{service}.json"))
    }

    pub(crate) fn head(&self) -> Option<Head> {
        let (environment, service) = self.place?;
        document(self.aws, &format!("history/{environment}/{service}/head.json"))
    }

    /// The newest records, and those before them that the head has still; where the head that has them is lost, as they are stored each
    /// by itself. A record that is stored is history, also before the head is moved to it.
    pub(crate) fn recent(&self) -> Vec<Record> {
        let Some((environment, service)) = self.place else { return Vec::new() };
        let named = |number: u64| document(self.aws, &format!("history/{environment}/{service}/{number:010}.json"));
        if let Some(head) = self.head() {
            let following = named(head.number.0 + 1).filter(|next: &Record| next.previous.as_ref() == Some(&head.hash));
            return following.into_iter().chain(head.known().cloned()).collect();
        }
        let mut records: Vec<Record> = (1..).map_while(named).collect();
        records.reverse();
        records.truncate(Head::RECENT);
        records
    }

    /// What Git wants of the service, as far as what is stored says, or was stored last.
    pub(crate) fn wanted(&self) -> Option<&'a Wanted> {
        let place = self.place?;
        let desired: Option<DesiredDocument> = document(self.aws, &format!("desired/{}.json", place.0));
        let commit = desired.as_ref().map(|desired| &desired.commit.id).or_else(|| self.facts.applied.get(place.0))?;
        self.facts.wanted(commit, place)
    }

    /// What the stored intent was made for, whatever Git wants by now: that is what is published.
    pub(crate) fn intended(&self) -> Option<&'a Wanted> {
        let place = self.place?;
        let intended = self.state().and_then(|state| self.facts.wanted(&state.commit.id, place));
        intended.or_else(|| self.wanted())
    }

    /// Whether traffic returns to this version: the one that had it when the release began, whoever gave it that.
    fn returns_to(&self, number: u64) -> bool {
        self.goes_back() && self.is_stable(number)
    }

    /// Whether the release under way began from this version.
    pub(crate) fn is_stable(&self, number: u64) -> bool {
        let stable = self.state().and_then(|state| state.from).and_then(|from| from.version);
        stable.is_some_and(|version| version.to_string() == number.to_string())
    }

    /// Whether an alias is where the release under way began, which gave nothing any traffic: it told of who had moved it there, or
    /// that is what history took over last.
    fn is_where_it_began(&self, alias: &AliasView) -> bool {
        let Some(state) = self.state().filter(|state| !state.phase.has_traffic()) else { return false };
        let told = state.said.iter().any(|said| said.what == "edit") || self.is_taken_over(alias);
        let began = state.from.map(|from| qualifier(from.version));
        told && alias.additional.is_none() && began.as_ref() == Some(&alias.version)
    }

    /// Whether an alias is as the newest record took it over.
    fn is_taken_over(&self, alias: &AliasView) -> bool {
        let newest = self.recent().into_iter().next().filter(|record| record.kind == Kind::Adopted);
        let version = newest.and_then(|record| record.to.version).map(|version| version.to_string());
        alias.additional.is_none() && version.as_ref() == Some(&alias.version)
    }

    /// Whether a version may get traffic without steps: it was live, it gets back what it had when the release began, or a person's
    /// hand had given it all traffic then.
    pub(crate) fn earned(&self, number: u64) -> bool {
        let by_hand = self.known().is_some_and(|known| known.by_hand.contains(&number));
        self.was_live(number) || self.returns_to(number) || (by_hand && self.is_stable(number))
    }

    /// Whether a version had all traffic once: by a write of the controller's, or by a person's hand, and was taken over.
    pub(crate) fn was_live(&self, number: u64) -> bool {
        let is_it = |record: &Record| {
            record.kind.is_live() && record.to.version.is_some_and(|version| version.to_string() == number.to_string())
        };
        self.known().is_some_and(|known| {
            known.been_live.contains(&number) || (known.by_hand.contains(&number) && self.recent().iter().any(is_it))
        })
    }

    pub(crate) const fn now(&self) -> DateTime<Utc> {
        self.call.now
    }
}

fn after_name<'f>(function: &'f FunctionView, name: &str) -> Option<&'f str> {
    function.aliases.get_key_value(name).map(|(name, _)| name.as_str())
}

/// A stored document, where it can be read.
pub(crate) fn document<T: serde::de::DeserializeOwned>(aws: &LocalAws, name: &str) -> Option<T> {
    serde_json::from_slice(&world::object(aws, name)?).ok()
}

type Check = fn(&Moment<'_>) -> Result<(), Violation>;

/// What holds after every call of a controller that may change something.
const AFTER: [Check; 16] = [
    traffic::only_published_and_active,
    traffic::one_declared_step,
    traffic::explicit_weights,
    traffic::held_out_stays_out,
    publishing::one_version_a_release,
    publishing::what_is_served_is_what_was_pinned,
    publishing::commits_descend,
    records::intent_before_effect,
    records::chained_without_gaps,
    records::edits_are_recorded_first,
    records::no_edit_is_made_up,
    limits::a_rollback_is_one_call,
    writes::no_second_try_after_a_refusal,
    writes::nothing_forward_without_valid_input,
    writes::nothing_live_is_deleted,
    secrets::nothing_is_told,
];

/// What holds when a call is sent. One that was on its way when its process stood still has nothing but its precondition.
pub(crate) fn before(aws: &LocalAws, who: &Who, call: &Call, woken: bool) -> Result<(), Violation> {
    writes::conditional(call)?;
    if woken { Ok(()) } else { writes::under_its_lease(aws, who, call) }
}

/// All of [`AFTER`].
pub(crate) fn after(moment: &Moment<'_>) -> Result<(), Violation> {
    if moment.running().is_none() {
        return Ok(());
    }
    AFTER.iter().try_for_each(|check| check(moment))
}

/// The commit that a call applied, and the environment.
pub(crate) fn applied(moment: &Moment<'_>) -> Option<(String, String)> {
    if moment.call.operation != "PutObject" || !moment.resource.contains("/desired/") || !moment.succeeded() {
        return None;
    }
    let now: DesiredDocument = serde_json::from_slice(&moment.call.body).ok()?;
    let environment = moment.resource.rsplit('/').next()?.strip_suffix(".json")?;
    Some((environment.to_owned(), now.commit.id))
}

/// What is stored of a service tells that its alias was created. Where a record takes over what a person's hand made live, that is where
/// the alias belongs from then on.
fn stored(moment: &Moment<'_>) -> Option<Known> {
    let is_record = moment.resource.contains("/history/");
    let tells = is_record || moment.resource.contains("/state/");
    if moment.call.operation != "PutObject" || !moment.succeeded() || !tells {
        return None;
    }
    let known = Known { untold: false, ..moment.known()?.clone() };
    Some(adopted(moment, &known).filter(|_| is_record).unwrap_or(known))
}

fn adopted(moment: &Moment<'_>, known: &Known) -> Option<Known> {
    let record: Record = serde_json::from_slice(&moment.call.body).ok()?;
    let alias = known.view.as_ref()?.aliases.get(world::ALIAS).filter(|_| record.kind == Kind::Adopted)?;
    let is_it = alias.additional.is_none() && qualifier(record.to.version) == alias.version;
    is_it.then(|| Known { given: shares(alias), edited: None, ..known.clone() })
}

/// What is true of the function after the call.
pub(crate) fn learn(moment: &Moment<'_>) -> Option<Known> {
    if let Some(known) = stored(moment) {
        return Some(known);
    }
    let after = moment.after?;
    let mut known = moment.known()?.clone();
    let live = |view: &FunctionView| view.aliases.get(world::ALIAS).cloned();
    let (was, is) = (known.view.as_ref().and_then(live), live(after));
    let ours = moment.running().is_some();
    if ours && moment.alias_write().is_some_and(|write| write.name == world::ALIAS) {
        known.given = is.as_ref().map(shares).unwrap_or_default();
        known.followed = moment.wanted().map(|wanted| wanted.strategy.clone());
        // Answered, also where that moved nothing.
        known.edited = None;
    }
    if moved(was.as_ref(), is.as_ref()) {
        known.since = Some(moment.now());
        // Who puts it back to where the controller left it undoes an edit; so does who puts it back to where a release began that
        // told of that, as long as it has no traffic, or to what history took over last, with nothing under way since.
        let is_undone = is.as_ref().is_some_and(|alias| {
            let is_at_rest = moment.state().is_none() && moment.is_taken_over(alias);
            shares(alias) == known.given || moment.is_where_it_began(alias) || is_at_rest
        });
        // Where all that was stored is lost, nothing tells that there ever was an alias; nor where a process died right after it had created
        // one, before anything else told of that.
        let is_untold = is.is_none() && (known.untold || moment.recent().is_empty());
        known.untold = ours && was.is_none();
        let is_edit = !ours && !is_undone && !is_untold;
        (known.promoted, known.edited) = (false, is_edit.then(|| moment.now()));
        known.touched |= !ours;
        let all = is.as_ref().filter(|alias| alias.additional.is_none()).and_then(|alias| alias.version.parse().ok());
        match all {
            Some(version) if ours => {
                known.promoted_fully = false;
                let rolled_back = moment.running().and_then(|running| running.word);
                if matches!(rolled_back, Some((_, "rollback"))) {
                    let is_unseen = |number: &u64| is_unseen(moment, after, *number);
                    known.held = was.as_ref().map(named).unwrap_or_default();
                    known.held.remove(&version);
                    // What only a hand gave a share, beside something else, is no release that was rolled back.
                    let was_given = |number: &u64| {
                        let given = moment.known().and_then(|known| known.given.get(number));
                        given.is_some_and(|share| *share > 0) || known.by_hand.contains(number)
                    };
                    known.held.retain(|number| was_given(number) || !is_unseen(number));
                    known.overtaken = known.held.iter().copied().filter(is_unseen).collect();
                }
                known.been_live.insert(version);
            }
            Some(version) => {
                known.by_hand.insert(version);
            }
            None => {}
        }
    }
    if ours {
        let rolls_back = moment.running().is_some_and(|running| matches!(running.word, Some((_, "rollback"))));
        if rolls_back && moment.succeeded() && moment.call.operation != "Invoke" {
            known.effects_of_word += 1;
        }
        let before = known.view.as_ref().map(|view| &view.versions);
        let new = after.versions.keys().filter(|number| before.is_none_or(|before| !before.contains_key(number)));
        let memory = moment.intended().and_then(|wanted| wanted.memory);
        known.ours.extend(new.map(|number| (*number, memory)));
    }
    known.view = Some(after.clone());
    Some(known)
}

/// Whether Git wants an image of this version's tag by now, and nobody who says a word can know that.
fn is_unseen(moment: &Moment<'_>, view: &FunctionView, number: u64) -> bool {
    let Some((place, version)) = moment.place.zip(view.versions.get(&number)) else { return false };
    // `v1.2.0`, or `v1.2.0 again` where it was pushed as another image.
    let tag = moment.facts.tag(place.1, &version.code).and_then(|label| label.split(' ').next());
    tag.is_some() && tag == moment.facts.unseen(place)
}

/// What an alias names that serves this version.
fn qualifier(version: Option<Version>) -> String {
    version.map_or_else(|| "$LATEST".to_owned(), |version| version.to_string())
}

/// Whether traffic goes another way.
fn moved(was: Option<&AliasView>, is: Option<&AliasView>) -> bool {
    was.map(|alias| (&alias.version, alias.additional)) != is.map(|alias| (&alias.version, alias.additional))
}

/// The versions that an alias names.
pub(crate) fn named(alias: &AliasView) -> std::collections::BTreeSet<u64> {
    alias.version.parse().ok().into_iter().chain(alias.additional.map(|(version, _)| version)).collect()
}

/// What share of the traffic each version has that an alias names.
fn shares(alias: &AliasView) -> std::collections::BTreeMap<u64, u32> {
    named(alias).into_iter().map(|number| (number, share(Some(alias), number))).collect()
}

/// A weight as AWS has it, in hundredths of a percent.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share from 0 to 1")]
fn basis_points(weight: f64) -> u32 {
    (weight * 10_000.0).round() as u32
}

/// The share of an alias's traffic that a version has, in hundredths of a percent.
pub(crate) fn share(alias: Option<&AliasView>, version: u64) -> u32 {
    let Some(alias) = alias else { return 0 };
    match alias.additional {
        Some((other, weight)) if other == version => basis_points(weight),
        Some((_, weight)) if alias.version == version.to_string() => 10_000 - basis_points(weight),
        None if alias.version == version.to_string() => 10_000,
        Some(_) | None => 0,
    }
}
