//! Every input that was kept, and some thousands that were made of them, are read within their budget.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and shows its input"
)]
use std::fs;
use std::sync::{Mutex, PoisonError};

use fuzz::budget::Counting;
use fuzz::mutate::Mutator;
use fuzz::{TARGETS, check, target};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Memory is counted for the whole process: one target at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<_> =
        fs::read_dir(target(name).unwrap().corpus()).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| fs::read(file).unwrap()).collect()
}

fn run(name: &str) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (target, corpus) = (target(name).unwrap(), corpus(name));
    assert!(!corpus.is_empty(), "`{name}` has no corpus");
    for data in &corpus {
        tried(target, data);
    }
    let mut mutator = Mutator::new(&corpus, 7);
    for _ in 0..target.mutations {
        tried(target, &mutator.another());
    }
}

/// An input that fails is shown, as text that a file can be made of.
fn tried(target: &fuzz::Target, data: &[u8]) {
    let outcome = std::panic::catch_unwind(|| check(target, data));
    if let Err(panic) = outcome {
        println!("`{}` fails with: {}", target.name, data.escape_ascii());
        std::panic::resume_unwind(panic);
    }
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            run(stringify!($name));
        })*

        #[test]
        fn every_target_is_tried() {
            assert_eq!(TARGETS.map(|target| target.name), [$(stringify!($name)),*]);
        }
    };
}

targets! {
    services release_config installation state desired history marker events git_refs git_pack git_tree metrics aws_errors
}

#[test]
fn what_a_budget_forbids_is_seen() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let greedy = fuzz::Target { name: "greedy", reads: "", run: |_| drop(vec![1_u8; 256 << 20]), mutations: 0 };
    let slow = fuzz::Target { name: "slow", reads: "", run: |_| keep_busy(), mutations: 0 };
    for target in [greedy, slow] {
        let outcome = std::panic::catch_unwind(|| check(&target, b""));
        let message = outcome.unwrap_err().downcast::<String>().unwrap();
        assert!(message.starts_with(&format!("`{}` took", target.name)), "{message}");
    }
}

/// For longer than there is, of the processor.
fn keep_busy() {
    let began = fuzz::budget::processor_time();
    while fuzz::budget::processor_time() < began + fuzz::budget::TIME * 2 {
        std::hint::spin_loop();
    }
}
