//! Writes that are refused: the right errno each, and the list as it was.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail, ensure};
use io_uring::{IoUring, opcode, squeue, types};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::unistd::{Uid, dup2_stdout, setresuid};
use semundo::sysv::{Op, SemSet};

use super::permissions::become_user;
use super::{Test, test};
use crate::files;
use crate::kernel_log::KernelLog;
use crate::process::Child;
use crate::random::Random;
use crate::writing::{self, List, line, write_is, write_to};

pub const TESTS: &[Test] = &[
    test("write errors: 10,000 mutated texts", 400, mutated),
    test("write errors: a MiB of garbage", 300, garbage),
    test("write errors: memory that is not there", 60, bad_address),
    test("write errors: an open file keeps little memory", 300, kept_memory),
    test("write errors: no right to one of three sets", 60, no_right),
    test("write errors: the right to a set is lost on the way", 120, not_taken_back),
    test("write errors: an unfinished line is dropped and told once", 60, unfinished),
    test("write errors: many unfinished lines are told seldom", 60, unfinished_often),
    test("write errors: a failed write may be done again", 60, again),
    test("write errors: another process", 60, other_process),
    test("write errors: other credentials", 60, other_credentials),
    test("write errors: a program that was executed since", 60, executed),
    test("write errors: io_uring's own threads", 60, io_uring_write),
];

/// Three sets and a list of them that the caller has now.
fn start() -> Result<(Vec<SemSet>, List)> {
    let sets = [SemSet::create(2, 0o666)?, SemSet::create(1, 0o666)?, SemSet::create(3, 0o666)?];
    sets.iter().try_for_each(|set| set.set_values(&vec![500; set.values()?.len()]))?;
    let mut list = List::default();
    sets.iter().zip([&[1, -2][..], &[30], &[-7, 0, 7]]).for_each(|(set, semadj)| list.set(set.id(), semadj.to_vec()));
    write_is(&list.text(), None, &list)?;
    Ok((sets.to_vec(), list))
}

/// What a write of `text` must answer, and what it makes of `list`: the form once more, written in the plainest way.
fn expected(text: &[u8], list: &List) -> Result<List, i32> {
    let mut changed = list.clone();
    let complete = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    for line in text[..complete].split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = String::from_utf8_lossy(line);
        let mut numbers = Vec::new();
        for word in line.split([' ', '\t']).filter(|word| !word.is_empty()) {
            let digits = word.strip_prefix('-').unwrap_or(word);
            let printed = digits.bytes().all(|byte| byte.is_ascii_digit())
                && (!digits.starts_with('0') || word == "0")
                && !digits.is_empty();
            let range = if numbers.is_empty() { 0..=i128::from(i32::MAX) } else { -32_768..=32_767 };
            match word.parse::<i128>() {
                _ if !printed => return Err(libc::EINVAL),
                Ok(number) if range.contains(&number) => numbers.push(number as i32),
                _ => return Err(libc::ERANGE),
            }
        }
        let [semid, semadj @ ..] = &numbers[..] else { return Err(libc::EINVAL) };
        let now = if semadj.is_empty() { Err(libc::EINVAL) } else { list.of(*semid).ok_or(libc::EIDRM) }?;
        if now.len() != semadj.len() {
            return Err(libc::EINVAL);
        }
        changed.set(*semid, semadj.iter().map(|adj| *adj as i16).collect());
    }
    Ok(changed)
}

fn mutated() -> Result<()> {
    const BYTES: &[u8] = b"0123456789999   ---+\t\r\n\n\0x,.\x80";
    let (sets, mut list) = start()?;
    let mut random = Random::new(1);
    let mut answers = std::collections::BTreeMap::new();
    for round in 0..10_000 {
        let mut text = Vec::new();
        for set in &sets {
            let width = list.of(set.id()).context("a set")?.len();
            let numbers: Vec<i16> = (0..width).map(|_| random.below(65_536) as u16 as i16).collect();
            text.extend_from_slice(line(set.id(), &numbers).as_bytes());
        }
        for _ in 0..random.below(3) {
            let at = random.below(text.len());
            match random.below(5) {
                0 => drop(text.remove(at)),
                1 => text.insert(at, BYTES[random.below(BYTES.len())]),
                2 => text.truncate(at + 1),
                3 => drop(text.splice(at..at, [b'9'; 40])),
                _ => text[at] = BYTES[random.below(BYTES.len())],
            }
        }
        let (want, after) = match expected(&text, &list) {
            Ok(changed) => (None, changed),
            Err(errno) => (Some(errno), list.clone()),
        };
        write_is(&text, want, &after).with_context(|| format!("round {round}"))?;
        list = after;
        *answers.entry(want).or_insert(0) += 1;
    }
    println!("   {answers:?}");
    for want in [None, Some(libc::EINVAL), Some(libc::ERANGE), Some(libc::EIDRM)] {
        ensure!(answers.get(&want).is_some_and(|count| *count >= 50), "{want:?} is too seldom: {answers:?}");
    }
    Ok(())
}

fn garbage() -> Result<()> {
    let (_, list) = start()?;
    let mut random = Random::new(2);
    let mut bytes: Vec<u8> = (0..1 << 20).map(|_| random.below(256) as u8).collect();
    write_is(&bytes, Some(libc::EINVAL), &list)?;
    bytes.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
    // No line of so many bytes can be right, and it is not kept.
    write_is(&bytes, Some(libc::E2BIG), &list)?;
    let mut file = writing::open()?;
    for chunk in bytes[..512 << 10].chunks(4096) {
        ensure!(write_to(&mut file, chunk).is_none(), "a chunk");
    }
    ensure!(write_to(&mut file, b" ") == Some(libc::E2BIG), "a byte too many");
    ensure!(write_to(&mut file, b"\n") == Some(libc::EINVAL), "the newline");
    list.is_own()?;
    let mut long = list.text().repeat(1 + (8 << 20) / list.text().len());
    write_is(&long, Some(libc::E2BIG), &list)?;
    // As long as a write may be.
    long.truncate(8 << 20);
    let end = long.iter().rposition(|byte| *byte == b'\n').context("a line")?;
    write_is(&long[..=end], None, &list)
}

fn bad_address() -> Result<()> {
    let (_, list) = start()?;
    let file = writing::open()?;
    // SAFETY: the kernel checks the address; nothing is read by us.
    let result = unsafe { libc::write(file.as_raw_fd(), std::ptr::without_provenance(8), 100) };
    let answer = std::io::Error::last_os_error().raw_os_error();
    ensure!(result == -1 && answer == Some(libc::EFAULT), "it answers {result}, {answer:?}");
    // seq_file's files take no pwrite at all (fs/seq_file.c: seq_open).
    let answer = file.write_at(&list.text(), 3).err().and_then(|error| error.raw_os_error());
    ensure!(answer == Some(libc::ESPIPE), "a pwrite answers {answer:?}");
    list.is_own()
}

/// Large writes of all ends: nothing waits, something waits, a set or an address is wrong.
fn kept_memory() -> Result<()> {
    const FILES: usize = 12;
    let mut list = List::default();
    list.set(SemSet::create(2_000, 0o600)?.id(), vec![1; 2_000]);
    let used = || -> Result<usize> {
        let meminfo = fs::read_to_string("/proc/meminfo")?;
        let line = meminfo.lines().find_map(|line| line.strip_prefix("VmallocUsed:")).context("VmallocUsed")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    };
    let mut files = (0..FILES).map(|_| writing::open()).collect::<Result<Vec<_>>>()?;
    let mut text = list.text().repeat((5 << 20) / list.text().len());
    let before = used()?;
    for (number, file) in files.iter_mut().enumerate() {
        // Half of them have the begin of a line already.
        if number < FILES / 2 {
            ensure!(write_to(file, b" ").is_none(), "the begin of a line");
        }
        let whole = text.len();
        let (end, want) = [("", None), ("0", None), ("x\n", Some(libc::EINVAL))][number % 3];
        text.extend_from_slice(end.as_bytes());
        let answer = write_to(file, &text);
        ensure!(answer == want, "a write answers {answer:?}");
        text.truncate(whole);
        // SAFETY: the kernel checks the address; nothing is read by us.
        let result = unsafe { libc::write(file.as_raw_fd(), std::ptr::without_provenance(8), 5 << 20) };
        ensure!(result == -1, "a write from nowhere answers {result}");
    }
    let more = used()?.saturating_sub(before);
    ensure!(more < FILES * 100, "{FILES} open files keep {more} KiB");
    Ok(())
}

/// Where a later set is refused, what was done to those before it is taken back.
fn no_right() -> Result<()> {
    let (sets, root) = start()?;
    for denied in 0..3 {
        let closed = SemSet::create(3, 0o600)?;
        Child::fork(|_| {
            become_user(1000, 1000)?;
            // The sets before the denied one change from something, and those behind from nothing.
            let mut list = List::default();
            sets[..denied].iter().for_each(|set| list.set(set.id(), vec![-9; root.of(set.id()).map_or(0, <[_]>::len)]));
            write_is(&list.text(), None, &list)?;
            // Named twice, they are taken back twice.
            let mut text: String = list.sets().map(|(semid, semadj)| line(semid, &vec![700; semadj.len()])).collect();
            for (index, set) in sets.iter().enumerate() {
                if index == denied {
                    text += &line(closed.id(), &[1, 2, 3]);
                }
                text += &line(set.id(), &vec![4; root.of(set.id()).context("a set")?.len()]);
            }
            write_is(text.as_bytes(), Some(libc::EACCES), &list)
        })?
        .join()
        .with_context(|| format!("the right to set {denied} is missing"))?;
        // It gave back 9 at each exit, and nothing else.
        closed.remove()?;
    }
    let values = [sets[0].values()?, sets[1].values()?, sets[2].values()?];
    ensure!(values == [vec![482; 2], vec![491], vec![500; 3]], "the exits left {values:?}");
    // Alter permission is enough.
    let alter_only = SemSet::create(2, 0o222)?;
    Child::fork(|_| {
        become_user(1000, 1000)?;
        let mut list = List::default();
        list.set(alter_only.id(), vec![32_767, -32_768]);
        write_is(&list.text(), None, &list)
    })?
    .join()
}

/// A later set is refused when the right to the first one is gone: that one stays as written, EIO tells, and the rest is taken back.
fn not_taken_back() -> Result<()> {
    let lost = SemSet::create(1, 0o666)?;
    let between = (0..100).map(|_| SemSet::create(200, 0o666)).collect::<Result<Vec<_>, _>>()?;
    let closed = SemSet::create(1, 0o600)?;
    let list = |adjustment: i16, of_lost: i16| {
        let mut list = List::default();
        between.iter().for_each(|set| list.set(set.id(), vec![adjustment; 200]));
        list.set(lost.id(), vec![of_lost]);
        list
    };
    let (before, half) = (list(1, 1), list(1, 2));
    let middle: String = between.iter().map(|set| line(set.id(), &[2; 200])).collect();
    let text = format!("{}{middle}{}", line(lost.id(), &[2]), line(closed.id(), &[2]));
    let mut writer = Child::fork(|link| {
        become_user(1000, 1000)?;
        loop {
            ensure!(writing::write(&before.text())?.is_none(), "the first write");
            link.step()?;
            let answer = writing::write(text.as_bytes())?;
            let left = List::own()?;
            ensure!(
                (answer == Some(libc::EIO) && left == half) || (answer == Some(libc::EACCES) && left == before),
                "a write answers {answer:?} and leaves {left:?}"
            );
            link.send(if answer == Some(libc::EIO) { "EIO" } else { "EACCES" })?;
            link.wait()?;
        }
    })?;
    let mut refused = 0;
    loop {
        writer.link().wait()?;
        // Now the last who changed it is us.
        lost.op(&[Op::new(0, 1)])?;
        lost.op(&[Op::new(0, -1)])?;
        writer.link().go()?;
        while last_changed_by(lost)? != writer.pid() {}
        set_mode(lost, 0o600)?;
        let answer = writer.link().recv_text()?;
        set_mode(lost, 0o666)?;
        if answer == "EIO" {
            println!("   {refused} writes were too fast");
            return Ok(());
        }
        refused += 1;
        writer.link().go()?;
    }
}

fn last_changed_by(set: SemSet) -> Result<i32> {
    // SAFETY: GETPID takes no fourth argument.
    Ok(Errno::result(unsafe { libc::semctl(set.id(), 0, libc::GETPID) })?)
}

fn set_mode(set: SemSet, mode: u16) -> Result<()> {
    // SAFETY: zeros are a valid `semid_ds`, IPC_STAT fills one, and IPC_SET only reads it.
    unsafe {
        let mut ds: libc::semid_ds = std::mem::zeroed();
        Errno::result(libc::semctl(set.id(), 0, libc::IPC_STAT, &raw mut ds))?;
        ds.sem_perm.mode = mode;
        Errno::result(libc::semctl(set.id(), 0, libc::IPC_SET, &raw mut ds))?;
    }
    Ok(())
}

/// The log's lines about what was not finished.
fn told(log: &mut KernelLog) -> Result<Vec<String>> {
    let lines = log.lines()?.into_iter();
    Ok(lines.filter(|line| line.starts_with("semundo: ") && line.contains("in the middle of a line")).collect())
}

fn unfinished() -> Result<()> {
    // What the tests before have left unfinished may have used up the rate.
    std::thread::sleep(std::time::Duration::from_secs(6));
    let (sets, list) = start()?;
    let mut log = KernelLog::mark()?;
    let begun = format!("{}{} 1", line(sets[1].id(), &[30]), sets[1].id());
    let mut file = writing::open()?;
    ensure!(write_to(&mut file, begun.as_bytes()).is_none(), "the write");
    list.is_own()?;
    ensure!(told(&mut log)?.is_empty(), "told too early");
    drop(file);
    let told = told(&mut log)?;
    let bytes = format!(" {} bytes ", format!("{} 1", sets[1].id()).len());
    ensure!(told.len() == 1 && told[0].contains(&bytes), "the log: {told:?}");
    list.is_own()
}

fn unfinished_often() -> Result<()> {
    let mut log = KernelLog::mark()?;
    for _ in 0..1_000 {
        ensure!(write_to(&mut writing::open()?, b"0").is_none(), "the write");
    }
    let told = told(&mut log)?.len();
    ensure!((1..=30).contains(&told), "told {told} times");
    Ok(())
}

fn again() -> Result<()> {
    let (sets, mut list) = start()?;
    let mut file = writing::open()?;
    let begun = format!("{} ", sets[1].id());
    ensure!(write_to(&mut file, begun.as_bytes()).is_none(), "the begin");
    for rest in ["x\n", "1 2\n", "99999\n", "4\nx\n"] {
        ensure!(write_to(&mut file, rest.as_bytes()).is_some(), "{rest:?} is taken");
        list.is_own()?;
    }
    ensure!(write_to(&mut file, b"5\n").is_none(), "the right rest");
    list.set(sets[1].id(), vec![5]);
    list.is_own()
}

fn other_process() -> Result<()> {
    let (sets, list) = start()?;
    let mut file = writing::open()?;
    ensure!(write_to(&mut file, format!("{} ", sets[1].id()).as_bytes()).is_none(), "the begin");
    Child::fork(|_| {
        let answer = write_to(&mut file, b"5\n");
        ensure!(answer == Some(libc::EPERM), "it answers {answer:?}");
        List::default().is_own()
    })?
    .join()?;
    list.is_own()?;
    ensure!(write_to(&mut file, b"30\n").is_none(), "the opener's own rest");
    list.is_own()
}

fn other_credentials() -> Result<()> {
    let set = SemSet::create(1, 0o666)?;
    let text = line(set.id(), &[5]);
    type Change = fn() -> Result<()>;
    let changes: [(&str, Change); 4] = [
        ("all ids", || become_user(1000, 1000)),
        ("the effective id", || {
            setresuid(Uid::from_raw(0), Uid::from_raw(1000), Uid::from_raw(0))?;
            Ok(prctl::set_dumpable(true)?)
        }),
        ("a capability", || Ok(caps::drop(None, caps::CapSet::Effective, caps::Capability::CAP_IPC_OWNER)?)),
        // Neither an id nor a capability: they are other credentials all the same.
        ("keep capabilities", || Ok(prctl::set_keepcaps(true)?)),
    ];
    for (what, change) in changes {
        Child::fork(|_| {
            let mut file = writing::open()?;
            change()?;
            let answer = write_to(&mut file, text.as_bytes());
            ensure!(answer == Some(libc::EPERM), "it answers {answer:?}");
            List::default().is_own()?;
            // Opened again, with the rights of now.
            ensure!(write_to(&mut writing::open()?, text.as_bytes()).is_none(), "opened again");
            Ok(())
        })?
        .join()
        .with_context(|| what.to_owned())?;
    }
    Ok(())
}

/// An attacker opens the file, and a program with more rights, or with the same, prints what the attacker says into it.
fn executed() -> Result<()> {
    const SAY: &str = "/tmp/say";
    let set = SemSet::create(1, 0o600)?;
    set.set_value(0, 100)?;
    for mode in [0o4755, 0o755] {
        let _ = fs::remove_file(SAY);
        fs::copy("/proc/self/exe", SAY)?;
        fs::set_permissions(SAY, fs::Permissions::from_mode(mode))?;
        for inherits in [true, false] {
            let child = Child::fork(|_| {
                if mode == 0o4755 {
                    become_user(1000, 1000)?;
                }
                if inherits {
                    dup2_stdout(writing::open()?)?;
                } else {
                    dup2_stdout(fs::File::create("/dev/null")?)?;
                }
                Err(anyhow!(Command::new(SAY).args(["say", &line(set.id(), &[7])]).exec()))
            })?;
            let status = child.status()?;
            let want = if inherits { crate::SAY_ERRNO + libc::EPERM } else { 0 };
            ensure!(status == want, "mode {mode:o}, inherits {inherits}: it ends with {status}");
            ensure!(set.get_value(0)? == 100, "mode {mode:o}: the end has changed the value to {}", set.get_value(0)?);
        }
    }
    Ok(fs::remove_file(SAY)?)
}

/// io_uring may write in a thread of its own, which is of the process but has no part in its undo list.
fn io_uring_write() -> Result<()> {
    let (sets, mut list) = start()?;
    let text = line(sets[1].id(), &[5]);
    let file = writing::open()?;
    let mut ring = IoUring::new(4).context("io_uring_setup")?;
    let refusal = if files::in_tree() { libc::EPERM } else { libc::EOPNOTSUPP };
    for (flags, threads) in [(squeue::Flags::ASYNC, true), (squeue::Flags::empty(), false)] {
        let write = opcode::Write::new(types::Fd(file.as_raw_fd()), text.as_ptr(), text.len() as u32);
        let write = write.offset(u64::MAX).build().flags(flags);
        // SAFETY: the file and the text outlive the request, which is waited for here.
        unsafe { ring.submission().push(&write)? };
        ring.submit_and_wait(1)?;
        let answer = ring.completion().next().context("no completion")?.result();
        match answer {
            _ if answer == -refusal => {}
            _ if !threads && answer == text.len() as i32 => list.set(sets[1].id(), vec![5]),
            _ => bail!("a write answers {answer}"),
        }
        list.is_own()?;
    }
    Ok(())
}
