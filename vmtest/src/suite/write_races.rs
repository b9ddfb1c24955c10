//! Writes while others use the same list, the same sets, or kill the writer: each is done whole or not at all.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use semundo::sysv::{Op, SemSet};

use super::{Test, test};
use crate::process::Child;
use crate::random::Random;
use crate::writing::{self, List};

pub const TESTS: &[Test] = &[
    test("write races: two threads write to one list", 120, two_writers),
    test("write races: two processes write to one list", 120, two_processes),
    test("write races: a thread takes and gives meanwhile", 120, taking_sibling),
    test("write races: a thread takes and gives, one of the sets is refused", 120, taken_back_under_a_sibling),
    test("write races: another process changes the values", 120, changed_values),
    test("write races: another process sets the values", 120, set_values),
    test("write races: a set is removed", 240, removed_set),
    test("write races: the writer gets signals", 120, signals),
    test("write races: the writer is killed", 240, killed),
];

/// How long a race runs.
const TIME: Duration = Duration::from_secs(4);

fn sets(count: usize, width: usize, value: u16) -> Result<Vec<SemSet>> {
    let mut sets = Vec::new();
    for _ in 0..count {
        let set = SemSet::create(width, 0o600)?;
        set.set_values(&vec![value; width])?;
        sets.push(set);
    }
    Ok(sets)
}

/// The list of all sets where every adjustment is `adjustment`.
fn uniform(sets: &[SemSet], width: usize, adjustment: i16) -> List {
    let mut list = List::default();
    sets.iter().for_each(|set| list.set(set.id(), vec![adjustment; width]));
    list
}

/// Runs `work` in threads of this process, each with its number, until one fails or all are done.
fn threads(count: usize, work: impl Fn(usize) -> Result<()> + Sync) -> Result<()> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|number| {
                scope.spawn({
                    let work = &work;
                    move || work(number)
                })
            })
            .collect();
        let results = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow!("a panic"))));
        results.fold(Ok(()), Result::and)
    })
}

/// The list is that of one of the writers, never part of each.
fn two_writers() -> Result<()> {
    const WIDTH: usize = 20;
    let sets = sets(30, WIDTH, 1_000)?;
    let lists = [uniform(&sets, WIDTH, 5), uniform(&sets, WIDTH, -700)];
    let (barrier, wins) = (Barrier::new(2), [const { AtomicU64::new(0) }; 2]);
    let failure = Mutex::new(None);
    threads(2, |number| {
        let start = Instant::now();
        let over = AtomicBool::new(false);
        while !over.load(Relaxed) {
            barrier.wait();
            let answer = writing::write(&lists[number].text());
            barrier.wait();
            if number == 0 {
                let won = lists.iter().position(|list| list.is_own().is_ok());
                match won {
                    Some(won) => drop(wins[won].fetch_add(1, Relaxed)),
                    None => *failure.lock().unwrap() = Some("the list is of both"),
                }
                if start.elapsed() > TIME {
                    failure.lock().unwrap().get_or_insert("");
                }
            }
            if !matches!(answer, Ok(None)) {
                failure.lock().unwrap().get_or_insert("a write fails");
            }
            barrier.wait();
            over.store(failure.lock().unwrap().is_some(), Relaxed);
            barrier.wait();
        }
        Ok(())
    })?;
    let failure = failure.into_inner()?.unwrap_or_default();
    ensure!(failure.is_empty(), "{failure}");
    println!("   the last was the first thread {wins:?} times the second");
    Ok(())
}

/// The same with processes that share the list (CLONE_SYSVSEM), each by a file of its own.
fn two_processes() -> Result<()> {
    const WIDTH: usize = 20;
    let sets = sets(30, WIDTH, 1_000)?;
    let lists = [uniform(&sets, WIDTH, 6), uniform(&sets, WIDTH, -800)];
    let mut other = Child::with_flags(libc::CLONE_SYSVSEM, |link| {
        loop {
            link.wait()?;
            ensure!(writing::write(&lists[1].text())?.is_none(), "the other's write");
            link.go()?;
        }
    })?;
    let (start, mut wins) = (Instant::now(), [0, 0]);
    while start.elapsed() < TIME {
        other.link().go()?;
        ensure!(writing::write(&lists[0].text())?.is_none(), "the write");
        other.link().wait()?;
        let won = lists.iter().position(|list| list.is_own().is_ok());
        wins[won.context("the list is of both")?] += 1;
    }
    println!("   the last was the first process {} times, the second {} times", wins[0], wins[1]);
    for set in &sets {
        ensure!(set.values()? == [1_000; WIDTH], "values {:?}", set.values()?);
    }
    Ok(())
}

/// A thread changes one adjustment of each set to and fro while another writes: every write succeeds, all other adjustments are as
/// written at once, and no value is lost.
fn taking_sibling() -> Result<()> {
    const WIDTH: usize = 6;
    let sets = sets(4, WIDTH, 1_000)?;
    let lists = [uniform(&sets, WIDTH, 9), uniform(&sets, WIDTH, -20_000)];
    let (done, takes, writes) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    threads(2, |number| {
        if number == 1 {
            let work = || -> Result<()> {
                while !done.load(Relaxed) {
                    for set in &sets {
                        set.op(&[Op::new(2, -1).undo()])?;
                        set.op(&[Op::new(2, 1).undo()])?;
                        takes.fetch_add(1, Relaxed);
                    }
                }
                Ok(())
            };
            return work().context("the thread that takes");
        }
        let start = Instant::now();
        let work = || -> Result<()> {
            while start.elapsed() < TIME {
                for list in &lists {
                    let answer = writing::write(&list.text())?;
                    ensure!(answer.is_none(), "a write answers {answer:?}");
                    writes.fetch_add(1, Relaxed);
                    for (semid, now) in List::own()?.sets() {
                        let want = list.of(semid).context("a set")?;
                        let fits = |(index, (now, want)): (usize, (&i16, &i16))| {
                            let off = i32::from(*now) - i32::from(*want);
                            if index == 2 { (-1..=1).contains(&off) } else { off == 0 }
                        };
                        ensure!(now.iter().zip(want).enumerate().all(fits), "set {semid} is {now:?} after {want:?}");
                    }
                }
            }
            Ok(())
        };
        let result = work();
        done.store(true, Relaxed);
        result
    })?;
    println!("   {takes:?} takes, {writes:?} writes");
    // Now nobody disturbs.
    for list in &lists {
        ensure!(writing::write(&list.text())?.is_none(), "a write");
        list.is_own()?;
    }
    for set in &sets {
        ensure!(set.values()? == [1_000; WIDTH], "values {:?}", set.values()?);
    }
    Ok(())
}

/// What is taken back is what the write did: a thread's own changes stay.
fn taken_back_under_a_sibling() -> Result<()> {
    const WIDTH: usize = 3;
    const VALUE: u16 = 10_000;
    let sets = sets(20, WIDTH, VALUE)?;
    let mut list = uniform(&sets, WIDTH, 3);
    ensure!(writing::write(&list.text())?.is_none(), "the first write");
    let closed = SemSet::create(1, 0)?;
    let mut text = uniform(&sets, WIDTH, 100).text();
    text.extend_from_slice(writing::line(closed.id(), &[1]).as_bytes());
    // No right to the last set, not even its owner's: every write is taken back.
    caps::drop(None, caps::CapSet::Effective, caps::Capability::CAP_IPC_OWNER)?;
    let (done, takes) = (AtomicBool::new(false), AtomicU64::new(0));
    threads(2, |number| {
        if number == 1 {
            // More and more: what was forgotten would show. Not more than there is, or a take would wait for ever.
            while !done.load(Relaxed) && takes.load(Relaxed) < u64::from(VALUE) {
                sets.iter().try_for_each(|set| set.op(&[Op::new(1, -1).undo()]))?;
                takes.fetch_add(1, Relaxed);
                thread::sleep(Duration::from_micros(200));
            }
            return Ok(());
        }
        let start = Instant::now();
        let mut result = Ok(());
        while start.elapsed() < TIME && result.is_ok() {
            result = writing::write(&text).and_then(|answer| {
                ensure!(answer == Some(libc::EACCES), "it answers {answer:?}");
                Ok(())
            });
        }
        done.store(true, Relaxed);
        result
    })?;
    let takes = i16::try_from(takes.into_inner())?;
    println!("   {takes} takes");
    sets.iter().for_each(|set| list.set(set.id(), vec![3, 3 + takes, 3]));
    list.is_own()
}

/// The plan stands on values that somebody else changes: the calls are planned anew, and a write is done or answers EAGAIN.
fn changed_values() -> Result<()> {
    const WIDTH: usize = 4;
    let sets = sets(3, WIDTH, 0)?;
    let lists = [uniform(&sets, WIDTH, 32_767), uniform(&sets, WIDTH, -32_768)];
    let mut hammer = Child::fork(|link| {
        link.go()?;
        loop {
            for set in &sets {
                // Not SETVAL, which would clear the adjustments.
                for delta in [32_767, -32_767] {
                    for index in 0..WIDTH as u16 {
                        set.op(&[Op::new(index, delta).nowait()])?;
                    }
                }
            }
        }
    })?;
    hammer.link().wait()?;
    let (start, mut done, mut refused) = (Instant::now(), 0, 0);
    let mut before = &List::default();
    while start.elapsed() < TIME {
        for list in &lists {
            match writing::write(&list.text())? {
                None => (done, before) = (done + 1, list),
                Some(libc::EAGAIN) => refused += 1,
                other => return Err(anyhow!("a write answers {other:?}")),
            }
            before.is_own()?;
        }
    }
    println!("   {done} writes done, {refused} answered EAGAIN");
    ensure!(done > 0, "no write was done");
    if let Some(result) = hammer.recv_within(Duration::from_millis(1)) {
        result.context("who changes the values")?;
    }
    Ok(())
}

/// SETVAL clears adjustments behind the plan's back: a write ends with its own, which the next SETVAL clears, and nothing between.
fn set_values() -> Result<()> {
    const WIDTH: usize = 40;
    let sets = sets(2, WIDTH, 100)?;
    let lists = [uniform(&sets, WIDTH, 5), uniform(&sets, WIDTH, -9)];
    let _hammer = Child::fork(|link| {
        link.go()?;
        let mut random = Random::new(3);
        loop {
            sets[random.below(2)].set_value(random.below(WIDTH) as u16, 100)?;
        }
    })?;
    let (start, mut done, mut cleared) = (Instant::now(), 0, 0);
    while start.elapsed() < TIME {
        for (list, adjustment) in lists.iter().zip([5, -9]) {
            match writing::write(&list.text())? {
                None => done += 1,
                Some(libc::EAGAIN) => continue,
                other => return Err(anyhow!("a write answers {other:?}")),
            }
            for (semid, now) in List::own()?.sets() {
                ensure!(now.iter().all(|now| [0, adjustment].contains(now)), "set {semid} is {now:?}");
                cleared += now.iter().filter(|now| **now == 0).count();
            }
        }
    }
    println!("   {done} writes done, {cleared} adjustments cleared behind them");
    ensure!(done > 0, "no write was done");
    for set in &sets {
        ensure!(set.values()? == [100; WIDTH], "values {:?}", set.values()?);
    }
    Ok(())
}

fn removed_set() -> Result<()> {
    const WIDTH: usize = 300;
    let mut random = Random::new(1);
    let (mut done, mut refused, start) = (0, 0, Instant::now());
    // Both ends must come, however slow the machine is: it waits longer until a write is done before the removal.
    let mut longest = 3_000;
    while start.elapsed() < 3 * TIME || done == 0 || refused == 0 {
        let sets = sets(12, WIDTH, 100)?;
        let (mut before, mut wanted) = (uniform(&sets, WIDTH, 1), uniform(&sets, WIDTH, 2));
        let text = wanted.text();
        ensure!(writing::write(&before.text())?.is_none(), "the first write");
        let victim = sets[random.below(sets.len())];
        let wait = Duration::from_micros(random.below(longest) as u64);
        let mut remover = Child::fork(|link| {
            link.go()?;
            let start = Instant::now();
            while start.elapsed() < wait {}
            Ok(victim.remove()?)
        })?;
        remover.link().wait()?;
        let answer = writing::write(&text)?;
        remover.join()?;
        before.forget(victim.id());
        wanted.forget(victim.id());
        match answer {
            None => (done, before) = (done + 1, wanted),
            Some(libc::EIDRM) if done == 0 => (refused, longest) = (refused + 1, longest + longest / 2),
            Some(libc::EIDRM) => refused += 1,
            other => return Err(anyhow!("a write answers {other:?}")),
        }
        before.is_own().with_context(|| format!("after {answer:?}"))?;
        for set in sets.iter().filter(|set| **set != victim) {
            ensure!(set.values()? == [100; WIDTH], "a value has changed");
            set.remove()?;
        }
    }
    println!("   {done} writes done, {refused} refused");
    Ok(())
}

/// A signal that is handled interrupts no write, and is not lost by it.
fn signals() -> Result<()> {
    const WIDTH: usize = 100;
    const WANTED: u64 = 20;
    static HANDLED: AtomicU64 = AtomicU64::new(0);
    extern "C" fn handle(_signal: libc::c_int) {
        HANDLED.fetch_add(1, Relaxed);
    }
    let sets = sets(20, WIDTH, 100)?;
    let lists = [1, -2].map(|adjustment| uniform(&sets, WIDTH, adjustment));
    // Without SA_RESTART: what a signal interrupts answers EINTR.
    let action = SigAction::new(SigHandler::Handler(handle), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler only counts.
    unsafe { sigaction(Signal::SIGALRM, &action)? };
    let millisecond = libc::timeval { tv_sec: 0, tv_usec: 1_000 };
    let timer = libc::itimerval { it_interval: millisecond, it_value: millisecond };
    // SAFETY: the timer is read, and the old one not asked for.
    Errno::result(unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) })?;
    let (mut writes, mut during) = (0, 0);
    while during < WANTED {
        for list in &lists {
            let mut file = writing::open()?;
            let (text, before) = (list.text(), HANDLED.load(Relaxed));
            let answer = writing::write_to(&mut file, &text);
            ensure!(answer.is_none(), "a write answers {answer:?}");
            during += u64::from(HANDLED.load(Relaxed) > before);
            writes += 1;
            list.is_own()?;
        }
    }
    println!("   {during} of {writes} writes had signals");
    Ok(())
}

/// The exit of a killed writer gives the adjustments of before the write or those of after it, in all sets.
fn killed() -> Result<()> {
    const WIDTH: usize = 400;
    let mut random = Random::new(2);
    let (mut ends, start) = ([0, 0], Instant::now());
    // As above: it waits longer until a writer is done before its end.
    let mut longest = 20_000;
    let sets = sets(20, WIDTH, 100)?;
    let lists = [1, 2].map(|adjustment| uniform(&sets, WIDTH, adjustment).text());
    while start.elapsed() < 3 * TIME || ends.contains(&0) {
        let mut writer = Child::fork(|link| {
            ensure!(writing::write(&lists[0])?.is_none(), "the first write");
            link.go()?;
            ensure!(writing::write(&lists[1])?.is_none(), "the second write");
            link.hold()
        })?;
        writer.link().wait()?;
        let (begin, wait) = (Instant::now(), Duration::from_micros(random.below(longest) as u64));
        while begin.elapsed() < wait {}
        writer.kill()?;
        let first = sets[0].get_value(0)?;
        for set in &sets {
            ensure!(set.values()? == [first; WIDTH], "an exit has given {first} and others: {:?}", set.values()?);
            set.set_values(&[100; WIDTH])?;
        }
        *ends.get_mut(usize::from(first).wrapping_sub(101)).with_context(|| format!("the value {first}"))? += 1;
        if ends[1] == 0 {
            longest += longest / 2;
        }
    }
    println!("   {} ends with the old list, {} with the new", ends[0], ends[1]);
    Ok(())
}
