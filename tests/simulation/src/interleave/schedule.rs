//! Who goes on at each call of commands that run at the same time.

/// Who goes on for how many calls, one after the other. Whoever had the last of them goes on to its end, and then those
/// that are left, the first of them first.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Schedule {
    /// How many calls each turn has: fewer, where the command ends or sleeps before.
    pub turns: Vec<(usize, u32)>,
    /// Who stands still after so many calls, until its lease is over and the others have ended; turns are none then.
    pub stall: Option<(usize, u32)>,
}

/// A call before which somebody was chosen to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Who could have gone on.
    pub waiting: Vec<usize>,
    /// Who did.
    pub who: usize,
}

impl Schedule {
    /// Lets somebody stand still after so many calls.
    #[must_use]
    pub const fn stall(who: usize, calls: u32) -> Self {
        Self { turns: Vec::new(), stall: Some((who, calls)) }
    }

    /// The turns of these, one call after the other.
    #[must_use]
    pub fn of(path: impl IntoIterator<Item = usize>) -> Self {
        let mut turns: Vec<(usize, u32)> = Vec::new();
        for who in path {
            match turns.last_mut() {
                Some((last, calls)) if *last == who => *calls += 1,
                _ => turns.push((who, 1)),
            }
        }
        Self { turns, stall: None }
    }

    /// Says, again and again, which of those that wait goes on, and writes it down.
    pub fn choose(&self, made: &mut Vec<Choice>) -> impl FnMut(&[usize]) -> usize {
        let mut turns = self.turns.iter().copied().peekable();
        let mut had = 0;
        move |waiting| {
            while turns.next_if(|(who, calls)| had >= *calls || !waiting.contains(who)).is_some() {
                had = 0;
            }
            had += 1;
            let last = made.last().map(|choice| choice.who).filter(|who| waiting.contains(who));
            let who = turns.peek().map(|(who, _)| *who).or(last).or(waiting.iter().min().copied());
            let who = who.expect("somebody waits");
            made.push(Choice { waiting: waiting.to_vec(), who });
            who
        }
    }

    /// The schedules that are this one up to a call that was not yet chosen by it, and let another go on there, with at most
    /// so many changes from one that could have gone on. `made` is what this one came to.
    #[must_use]
    pub fn branches(&self, made: &[Choice], changes: usize) -> Vec<Self> {
        let chosen: u32 = self.turns.iter().map(|(_, calls)| *calls).sum();
        let others = |at: usize| made[at].waiting.iter().filter(move |other| **other != made[at].who);
        let path = |at: usize, other: usize| made[..at].iter().map(|choice| choice.who).chain([other]);
        (chosen as usize..made.len())
            .flat_map(|at| others(at).map(move |other| (at, *other)))
            .filter(|(at, other)| changes_of(&made[..=*at], path(*at, *other)) <= changes)
            .map(|(at, other)| Self::of(path(at, other)))
            .collect()
    }
}

/// How often somebody else goes on although the one before could have.
fn changes_of(made: &[Choice], path: impl Iterator<Item = usize> + Clone) -> usize {
    let pairs = path.clone().zip(path.skip(1)).zip(&made[1..]);
    pairs.filter(|((before, who), choice)| before != who && choice.waiting.contains(before)).count()
}

/// As `--race` takes it: turns, as in `0:6,2:7`, or `0:6!` for one that stands still.
impl std::str::FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no schedule, as in `0:6,2:7` or `0:6!`");
        let number = |text: &str| text.parse::<u32>().map_err(|_| wrong());
        let turn = |text: &str| {
            let (who, calls) = text.split_once(':').ok_or_else(wrong)?;
            let who = number(who).ok().filter(|who| *who < 3).ok_or_else(wrong)?;
            Ok((who as usize, number(calls)?))
        };
        if let Some(stall) = text.strip_suffix('!') {
            return turn(stall).map(|(who, calls)| Self::stall(who, calls));
        }
        Ok(Self { turns: text.split(',').map(turn).collect::<Result<_, String>>()?, stall: None })
    }
}

impl Schedule {
    /// What [`str::parse`] makes this of.
    #[must_use]
    pub fn code(&self) -> String {
        if let Some((who, calls)) = self.stall {
            return format!("{who}:{calls}!");
        }
        let turns: Vec<String> = self.turns.iter().map(|(who, calls)| format!("{who}:{calls}")).collect();
        turns.join(",")
    }
}

impl std::fmt::Display for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = |who: usize| ["the tick", "the second tick", "the rollback"].get(who).copied().unwrap_or("nobody");
        let calls = |calls: u32| if calls == 1 { "1 call".to_owned() } else { format!("{calls} calls") };
        if let Some((who, made)) = self.stall {
            return write!(f, "{} stands still after {} until the others have ended", name(who), calls(made));
        }
        for (who, made) in &self.turns {
            write!(f, "{} makes {}, ", name(*who), calls(*made))?;
        }
        let last = self.turns.last().map_or("the tick", |(who, _)| name(*who));
        write!(f, "then {last} and after it the others end")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Commands that make so many calls each, none of which ever waits for another.
    fn run(schedule: &Schedule, calls: [u32; 3]) -> Vec<Choice> {
        let (mut left, mut made) = (calls, Vec::new());
        let mut choose = schedule.choose(&mut made);
        loop {
            let waiting: Vec<usize> = (0..3).filter(|who| left[*who] > 0).collect();
            if waiting.is_empty() {
                break;
            }
            left[choose(&waiting)] -= 1;
        }
        drop(choose);
        made
    }

    fn path(made: &[Choice]) -> String {
        made.iter().map(|choice| choice.who.to_string()).collect()
    }

    fn all(calls: [u32; 3], changes: usize) -> Vec<String> {
        let (mut found, mut left) = (Vec::new(), vec![Schedule::default()]);
        while let Some(schedule) = left.pop() {
            let made = run(&schedule, calls);
            left.extend(schedule.branches(&made, changes));
            found.push(path(&made));
        }
        found.sort();
        found
    }

    #[test]
    fn turns_are_followed_and_then_everybody_ends() {
        let schedule: Schedule = "0:2,2:1,1:9".parse().unwrap();
        assert_eq!(path(&run(&schedule, [3, 2, 2])), "0021102");
        assert_eq!(path(&run(&Schedule::default(), [1, 1, 2])), "0122");
    }

    #[test]
    fn each_order_is_found_once() {
        // Of three times two calls there are 6! / 2!³ orders; four changes are enough for each of them.
        let every = all([2, 2, 2], 4);
        assert_eq!(every.len(), 90);
        assert!(every.windows(2).all(|two| two[0] < two[1]), "{every:?}");
    }

    #[test]
    fn somebody_who_ended_does_not_give_way() {
        assert_eq!(all([1, 2, 0], 0), ["011", "110"]);
        assert_eq!(all([1, 2, 0], 1), ["011", "101", "110"]);
        assert_eq!(all([2, 2, 2], 0).len(), 6);
    }

    #[test]
    fn a_code_makes_the_schedule_that_it_is_of() {
        for code in ["0:6,2:7", "1:3!", "2:1"] {
            assert_eq!(code.parse::<Schedule>().unwrap().code(), code);
        }
        for code in ["", "3:1", "0:6/012", "0:x"] {
            assert!(code.parse::<Schedule>().is_err(), "{code}");
        }
    }

    #[test]
    fn a_schedule_is_told_in_words() {
        let told = |code: &str| code.parse::<Schedule>().unwrap().to_string();
        assert_eq!(
            told("0:6,2:1"),
            "the tick makes 6 calls, the rollback makes 1 call, then the rollback and after it the others end"
        );
        assert_eq!(told("1:3!"), "the second tick stands still after 3 calls until the others have ended");
    }
}
