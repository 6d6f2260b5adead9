//! The reference stories: each a way that releases go, or end, in real life.
use crate::release::{Flaw, Place, Strategy, Wanted};
use crate::story::{Document, Ending, Event, Story, Word};

const FLIGHT: Place = ("staging", "flight-service");
const RESERVATION: Place = ("staging", "reservation-service");
const PRODUCTION: Place = ("production", "flight-service");

fn canary(tag: &str, steps: &[(u8, Option<u32>)]) -> Wanted {
    Wanted { strategy: Strategy::Canary(steps.to_vec()), judged: true, ..Wanted::plain(tag) }
}

/// One service, live at `v1.0.0`, wanted so at first.
fn one(name: &'static str, about: &'static str, before: Wanted) -> Story {
    Story {
        name,
        about,
        before: vec![(FLIGHT, before)],
        first: false,
        events: Vec::new(),
        endings: Vec::new(),
        overlap: None,
        minutes: 6,
    }
}

/// Six steps of a minute.
const SIX: [(u8, Option<u32>); 6] =
    [(5, Some(1)), (10, Some(1)), (25, Some(1)), (50, Some(1)), (75, Some(1)), (90, Some(1))];

/// Two steps of two minutes.
const SHORT: [(u8, Option<u32>); 2] = [(10, Some(2)), (50, Some(2))];

/// The same, each for so long that two ticks which die make no difference.
const LONG: [(u8, Option<u32>); 2] = [(10, Some(4)), (50, Some(4))];

/// All of them.
#[must_use]
pub fn all() -> Vec<Story> {
    let plain = || Wanted::plain("v1.0.0");
    let merge = |wanted: Wanted| vec![(0, Event::Merge(FLIGHT, wanted))];
    let (to_new, to_old) = (vec![Ending::Synced(FLIGHT, "v1.1.0")], vec![Ending::Kept(FLIGHT, "v1.0.0")]);
    let either: Vec<Ending> = to_new.iter().chain(&to_old).cloned().collect();
    let mut stories = vec![
        Story {
            first: true,
            endings: vec![Ending::Synced(FLIGHT, "v1.0.0")],
            minutes: 4,
            ..one("first-deploy", "a function that nobody has deployed yet is published and gets its alias", plain())
        },
        Story {
            events: merge(Wanted::plain("v1.1.0")),
            endings: to_new.clone(),
            minutes: 4,
            ..one("all-at-once", "a merge becomes the live version in one switch", plain())
        },
        Story {
            events: merge(Wanted { judged: false, ..canary("v1.1.0", &SIX) }),
            endings: to_new.clone(),
            minutes: 18,
            ..one("canary", "a canary of six steps of a minute each", plain())
        },
        Story {
            events: merge(canary("v1.1.0", &SHORT)),
            endings: to_new.clone(),
            minutes: 18,
            ..one("judged-canary", "a canary of two steps, each judged by its metrics", plain())
        },
        Story {
            events: merge(canary("v1.3.0-bad", &SHORT)),
            endings: to_old.clone(),
            minutes: 12,
            ..one("failing-analysis", "a canary whose requests fail is turned back at its first step", plain())
        },
        Story {
            // In its middle also where two ticks died before it had any traffic: an alarm that is red before that is not its own.
            events: vec![
                (0, Event::Merge(FLIGHT, Wanted { judged: false, alarmed: true, ..canary("v1.1.0", &LONG) })),
                (8, Event::Alarm(FLIGHT, true)),
            ],
            endings: to_old.clone(),
            minutes: 14,
            ..one("alarm", "an alarm goes red in the middle of a canary", plain())
        },
        Story {
            events: merge(Wanted {
                strategy: Strategy::BlueGreen { bake: 2 },
                smoke: true,
                ..Wanted::plain("v1.3.0-bad")
            }),
            endings: to_old.clone(),
            minutes: 6,
            ..one("blue-green", "a version that fails its smoke test behind the preview alias gets no traffic", plain())
        },
        Story {
            events: merge(Wanted { strategy: Strategy::BlueGreen { bake: 2 }, smoke: true, ..Wanted::plain("v1.1.0") }),
            endings: to_new.clone(),
            minutes: 10,
            ..one("bake", "a version that passes its smoke test gets all traffic, and is watched", plain())
        },
        Story {
            before: vec![(FLIGHT, plain()), (PRODUCTION, plain())],
            events: vec![
                (0, Event::Merge(FLIGHT, Wanted::plain("v1.1.0"))),
                (1, Event::Merge(PRODUCTION, Wanted::plain("v1.1.0"))),
            ],
            endings: vec![Ending::Synced(FLIGHT, "v1.1.0"), Ending::Synced(PRODUCTION, "v1.1.0")],
            ..one("two-environments", "the same merge goes to staging, and then to production", plain())
        },
        Story {
            before: vec![(FLIGHT, plain()), (RESERVATION, plain())],
            events: vec![
                (0, Event::Merge(FLIGHT, Wanted::plain("v1.1.0"))),
                (1, Event::Merge(RESERVATION, Wanted::plain("v1.1.0"))),
            ],
            endings: vec![Ending::Synced(FLIGHT, "v1.1.0"), Ending::Synced(RESERVATION, "v1.1.0")],
            ..one("two-services", "two services of one environment are released in neighbouring minutes", plain())
        },
        Story {
            events: vec![
                (0, Event::Merge(FLIGHT, Wanted { judged: false, ..canary("v1.1.0", &SHORT) })),
                (3, Event::PushAgain(FLIGHT, "v1.1.0".to_owned())),
            ],
            endings: vec![Ending::Drifted(FLIGHT, "v1.1.0"), Ending::SyncedLate(FLIGHT, "v1.1.0")],
            minutes: 10,
            ..one(
                "tag-pushed-again",
                "the tag is pushed again in the middle of its canary: what was pinned goes on",
                plain(),
            )
        },
        Story {
            events: vec![
                (0, Event::Merge(FLIGHT, Wanted { judged: false, ..canary("v1.1.0", &SHORT) })),
                (4, Event::EditAlias(FLIGHT, 1, Some((2, 30)))),
                (6, Event::Say(FLIGHT, Word::Resume)),
            ],
            endings: to_new.clone(),
            minutes: 12,
            ..one("hand-edit", "somebody changes the weights in the middle of a canary, and says resume", plain())
        },
        Story {
            events: merge(Wanted { memory: Some(512), ..plain() }),
            endings: vec![Ending::Synced(FLIGHT, "v1.0.0")],
            minutes: 5,
            ..one("configuration-only", "only the memory changes: the same image as another version", plain())
        },
        Story {
            events: vec![
                (0, Event::Merge(FLIGHT, Wanted { judged: false, ..canary("v1.1.0", &SHORT) })),
                (4, Event::Lose(FLIGHT, Document::State)),
                (9, Event::Say(FLIGHT, Word::Resume)),
            ],
            endings: vec![Ending::Synced(FLIGHT, "v1.1.0"), Ending::Kept(FLIGHT, "v1.0.0")],
            minutes: 14,
            ..one("state-lost", "what is stored of a canary is lost in the middle of it", plain())
        },
    ];
    stories.push(Story {
        events: vec![
            (0, Event::Merge(FLIGHT, Wanted::plain("v1.1.0"))),
            (4, Event::Rewrite(1)),
            (4, Event::Lose(FLIGHT, Document::Desired)),
            (7, Event::Confirm("staging")),
        ],
        endings: vec![Ending::Synced(FLIGHT, "v1.0.0")],
        minutes: 11,
        ..one(
            "rewritten-and-lost",
            "`main` is force-pushed while the last good content is lost, and somebody confirms",
            plain(),
        )
    });
    // Nothing of it is live yet: the rollback is refused, and the release goes on.
    stories.push(Story {
        events: vec![
            (0, Event::Merge(FLIGHT, Wanted { judged: false, ..canary("v1.1.0", &SHORT) })),
            (1, Event::RollBack(FLIGHT)),
        ],
        endings: either.clone(),
        minutes: 9,
        ..one("rollback-publishing", "somebody rolls back while the release is published", plain())
    });
    stories.push(Story {
        events: vec![(0, Event::Merge(FLIGHT, Wanted { judged: false, ..canary("v1.1.0", &SHORT) }))],
        endings: vec![Ending::Synced(FLIGHT, "v1.1.0"), Ending::Kept(FLIGHT, "v1.0.0")],
        overlap: Some(4),
        minutes: 12,
        ..one("race", "two ticks and a rollback at the same time, when the next step of a canary is due", plain())
    });
    stories.push(Story {
        events: vec![(0, Event::Merge(FLIGHT, Wanted::plain("v1.1.0")))],
        endings: vec![Ending::Synced(FLIGHT, "v1.1.0"), Ending::Kept(FLIGHT, "v1.0.0")],
        overlap: Some(1),
        minutes: 5,
        ..one("race-for-all", "two ticks and a rollback at the same time, when all traffic is due", plain())
    });
    for (name, minute) in ROLLED_BACK {
        stories.push(Story {
            events: vec![
                (0, Event::Merge(FLIGHT, Wanted { judged: false, ..canary("v1.1.0", &SHORT) })),
                (minute, Event::RollBack(FLIGHT)),
            ],
            // Refused where faults kept the release from its traffic until then: it goes on. Once it is heard, invariant 7
            // keeps the release out.
            endings: either.clone(),
            minutes: minute + 3,
            ..one(name, "somebody rolls back in the middle of a canary", plain())
        });
    }
    stories.push(Story {
        events: vec![
            (0, Event::Merge(FLIGHT, Wanted::plain("v1.1.0"))),
            (4, Event::RollBack(FLIGHT)),
            (6, Event::Merge(FLIGHT, Wanted::plain("v1.2.0"))),
        ],
        endings: vec![Ending::Synced(FLIGHT, "v1.2.0")],
        minutes: 9,
        ..one("rollback-and-fix", "a release that is live is rolled back, and Git brings the next", plain())
    });
    stories.push(Story {
        events: vec![
            (0, Event::Merge(FLIGHT, Wanted::plain("v1.1.0"))),
            (4, Event::RollBack(FLIGHT)),
            (6, Event::Lose(FLIGHT, Document::All)),
        ],
        // Refused where faults kept the release from its traffic until then: it goes on.
        endings: either.clone(),
        minutes: 9,
        ..one("bucket-lost", "all that is stored is lost while a release is held out", plain())
    });
    stories.extend(of_bugs());
    stories
}

/// Stories in which systems of this kind went wrong.
fn of_bugs() -> Vec<Story> {
    let plain = || Wanted::plain("v1.0.0");
    let ungated = |tag: &str| Wanted { judged: false, ..canary(tag, &SHORT) };
    vec![
        Story {
            events: vec![
                (0, Event::Merge(FLIGHT, canary("v1.3.0-bad", &SHORT))),
                (10, Event::Merge(FLIGHT, Wanted::plain("v1.2.0"))),
                (14, Event::RollBack(FLIGHT)),
            ],
            endings: vec![Ending::Kept(FLIGHT, "v1.0.0"), Ending::Synced(FLIGHT, "v1.2.0")],
            minutes: 17,
            ..one("rollback-over-aborted", "a rollback goes to what was live, past a version that never was", plain())
        },
        Story {
            events: vec![
                (0, Event::Merge(FLIGHT, canary("v1.1.0", &SHORT))),
                (2, Event::Metrics(false)),
                (12, Event::Metrics(true)),
            ],
            endings: vec![Ending::Synced(FLIGHT, "v1.1.0"), Ending::Kept(FLIGHT, "v1.0.0")],
            minutes: 26,
            ..one("metrics-lost", "metrics are lost in the middle of a canary that they judge, and come back", plain())
        },
        Story {
            events: vec![(0, Event::Merge(FLIGHT, ungated("v1.1.0"))), (4, Event::Merge(FLIGHT, ungated("v1.2.0")))],
            endings: vec![Ending::Synced(FLIGHT, "v1.2.0")],
            minutes: 14,
            ..one("superseded", "the next release is merged in the middle of a canary", plain())
        },
        Story {
            events: vec![(
                0,
                Event::Merge(
                    FLIGHT,
                    Wanted { judged: true, strategy: Strategy::BlueGreen { bake: 3 }, ..Wanted::plain("v1.3.0-bad") },
                ),
            )],
            endings: vec![Ending::Kept(FLIGHT, "v1.0.0")],
            minutes: 12,
            ..one("failing-bake", "a version that fails once it has all traffic is turned back", plain())
        },
        Story {
            events: vec![
                (0, Event::Alarm(FLIGHT, true)),
                (0, Event::Merge(FLIGHT, Wanted { alarmed: true, ..ungated("v1.1.0") })),
            ],
            endings: vec![Ending::Synced(FLIGHT, "v1.1.0")],
            minutes: 10,
            ..one("fix-under-alarm", "the release that fixes it begins while the alarm is red", plain())
        },
        Story {
            before: vec![(FLIGHT, plain()), (PRODUCTION, plain())],
            events: vec![
                (0, Event::MergeBroken("production", Flaw::NoYaml)),
                (1, Event::Merge(FLIGHT, Wanted::plain("v1.1.0"))),
            ],
            endings: vec![Ending::Synced(FLIGHT, "v1.1.0")],
            ..one("broken-neighbour", "what another environment says is not valid", plain())
        },
        Story {
            events: vec![
                (0, Event::MergeBroken("staging", Flaw::Twice)),
                (3, Event::Merge(FLIGHT, Wanted::plain("v1.1.0"))),
            ],
            endings: vec![Ending::Synced(FLIGHT, "v1.1.0")],
            minutes: 7,
            ..one("written-twice", "a service is in its file twice, until somebody puts that right", plain())
        },
    ]
}

/// A rollback in each phase of a canary: in the first step, in the second, and once it is live.
const ROLLED_BACK: [(&str, u32); 3] = [("rollback-first-step", 3), ("rollback-second-step", 6), ("rollback-live", 9)];

/// The story of this name.
#[must_use]
pub fn named(name: &str) -> Option<Story> {
    all().into_iter().find(|story| story.name == name)
}
