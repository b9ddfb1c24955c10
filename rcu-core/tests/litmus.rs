//! Store buffering on real hardware threads: the one reordering that a missing barrier lets through, and that stress tests do not see.
//!
//! | writer | reader |
//! |---|---|
//! | X = 1 | enter a section |
//! | start a grace period | r = X |
//! | done = it has passed | stay in the section until the round is over |
//!
//! `done && r == 0` is forbidden: the section would hold what was unlinked before a grace period that did not wait for it.
//! `LITMUS_ROUNDS` sets the number of rounds.
#![cfg(all(not(loom), not(miri)))]
#![allow(missing_docs)]

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::{env, hint, io, thread};

use rcu_core::domain::{Domain, Options, Strategy};
use rcu_core::flavor::{Flavor, membarrier::Membarrier, qsbr::Qsbr};

/// Rounds spin on two processors, so one test runs at a time.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn membarrier() {
    play("membarrier", Membarrier::domain(), |rounds| {
        for round in rounds {
            round.start();
            let guard = Membarrier.read_lock();
            round.finish(round.x());
            drop(guard);
        }
    });
}

#[test]
fn handle() {
    let domain = Domain::new();
    play("handle", &domain, |rounds| {
        let mut reader = domain.handle();
        for round in rounds {
            round.start();
            let guard = reader.read_lock();
            round.finish(round.x());
            drop(guard);
        }
    });
}

#[test]
fn fence() {
    let mut options = Options::default();
    options.strategy = Strategy::Fence;
    let domain = Domain::with_options(options);
    play("fence", &domain, |rounds| {
        for round in rounds {
            round.start();
            let guard = domain.read_lock();
            round.finish(round.x());
            drop(guard);
        }
    });
}

#[test]
fn qsbr() {
    play("qsbr", Qsbr::domain(), |rounds| {
        let mut reader = Qsbr::register();
        for round in rounds {
            reader.offline(|| round.start());
            round.finish(round.x());
        }
    });
}

fn rounds() -> u64 {
    // What counts is a release build; without optimization a look has to do.
    let default = if cfg!(debug_assertions) { 50_000 } else { 1_000_000 };
    env::var("LITMUS_ROUNDS").map_or(default, |rounds| rounds.parse().expect("LITMUS_ROUNDS is a number"))
}

/// Plays all rounds against `reader`, which goes through the rounds it is given, and counts their outcomes.
fn play<R>(flavor: &str, domain: &Domain, reader: R)
where
    R: FnOnce(Rounds<'_>) + Send,
{
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let board = Board::default();
    let total = rounds();
    let (mut forbidden, mut reader_first, mut writer_first) = (0_u64, 0_u64, 0_u64);
    thread::scope(|scope| {
        scope.spawn(|| {
            pin_to(1);
            reader(Rounds { board: &board, left: total });
        });
        scope.spawn(|| {
            pin_to(0);
            let mut random = Random(1);
            for _ in 0..total {
                board.meet(Side::Writer);
                random.jitter();
                board.x.0.store(1, Ordering::Relaxed);
                let cookie = domain.start_poll();
                let done = domain.poll(&cookie);
                board.meet(Side::Writer);
                match (done, board.seen.0.load(Ordering::Relaxed)) {
                    (true, 0) => forbidden += 1,
                    (false, 0) => reader_first += 1,
                    _ => writer_first += 1,
                }
                board.x.0.store(0, Ordering::Relaxed);
                board.own_the_lines();
            }
        });
    });
    // Not `println!`, which the test harness keeps to itself.
    let outcomes = format!("reader first {reader_first}, writer first {writer_first}");
    let report = format!("forbidden outcomes: {forbidden} of {total} ({flavor}); {outcomes}\n");
    io::stdout().write_all(report.as_bytes()).unwrap();
    assert_eq!(forbidden, 0, "a grace period passed over a reader that does not see what came before it");
    assert!(total < 10_000 || reader_first > 0 && writer_first > 0, "the sides did not race: {outcomes}");
}

#[repr(align(128))]
#[derive(Default)]
struct Line(AtomicU64);

/// What the two sides share.
#[derive(Default)]
struct Board {
    x: Line,
    seen: Line,
    arrived: [Line; 2],
    busy: [Line; 4],
}

#[derive(Clone, Copy)]
enum Side {
    Writer,
    Reader,
}

impl Board {
    /// Waits until the other side has come as far.
    fn meet(&self, side: Side) {
        let (own, other) = match side {
            Side::Writer => (0, 1),
            Side::Reader => (1, 0),
        };
        let round = self.arrived[own].0.load(Ordering::Relaxed) + 1;
        self.arrived[own].0.store(round, Ordering::Release);
        let mut spins = 0;
        while self.arrived[other].0.load(Ordering::Acquire) < round {
            spins += 1;
            // Where the other side has lost its processor, spinning does not bring it back.
            if spins % 4_096 == 0 { thread::yield_now() } else { hint::spin_loop() }
        }
    }

    /// The writer's side of [`keep_the_store_buffer_busy`](Board::keep_the_store_buffer_busy).
    fn own_the_lines(&self) {
        for line in &self.busy {
            line.0.store(0, Ordering::Relaxed);
        }
    }

    /// Stores to lines that the writer's cache owns: what is stored next waits in the store buffer behind them.
    fn keep_the_store_buffer_busy(&self) {
        for line in &self.busy {
            line.0.store(1, Ordering::Relaxed);
        }
    }
}

/// The rounds that a reader goes through.
struct Rounds<'a> {
    board: &'a Board,
    left: u64,
}

struct Round<'a> {
    board: &'a Board,
    random: Random,
}

impl<'a> Iterator for Rounds<'a> {
    type Item = Round<'a>;

    fn next(&mut self) -> Option<Round<'a>> {
        self.left = self.left.checked_sub(1)?;
        Some(Round { board: self.board, random: Random(self.left + 2) })
    }
}

impl Round<'_> {
    /// Waits for the writer; the section begins next.
    fn start(&self) {
        self.board.meet(Side::Reader);
        // Loads the line, so that the load that counts is quick.
        hint::black_box(self.x());
        self.random.clone().jitter();
        self.board.keep_the_store_buffer_busy();
    }

    #[inline(always)]
    fn x(&self) -> u64 {
        self.board.x.0.load(Ordering::Relaxed)
    }

    /// Tells what was read and waits, still in the section, until the writer's question has its answer.
    fn finish(&self, seen: u64) {
        self.board.seen.0.store(seen, Ordering::Relaxed);
        self.board.meet(Side::Reader);
    }
}

#[derive(Clone)]
struct Random(u64);

impl Random {
    /// Lets a random moment pass, so that the sides meet at every distance.
    fn jitter(&mut self) {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        for _ in 0..self.0 >> 59 {
            hint::spin_loop();
        }
    }
}

/// Keeps the calling thread on the processor of this number among those that it may use, if there are as many.
fn pin_to(number: usize) {
    // SAFETY: a set of processors is plain data; the calls get its size and a pointer to it.
    unsafe {
        let mut allowed = std::mem::zeroed::<libc::cpu_set_t>();
        let size = size_of::<libc::cpu_set_t>();
        if libc::sched_getaffinity(0, size, &mut allowed) != 0 {
            return;
        }
        let found = (0..libc::CPU_SETSIZE as usize).filter(|cpu| libc::CPU_ISSET(*cpu, &allowed)).nth(number);
        if let Some(cpu) = found {
            let mut only = std::mem::zeroed::<libc::cpu_set_t>();
            libc::CPU_SET(cpu, &mut only);
            libc::sched_setaffinity(0, size, &only);
        }
    }
}
