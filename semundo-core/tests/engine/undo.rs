//! What is undone, when, and by whom (`ipc/sem.c: exit_sem, copy_semundo, freeary`).

use seqfile_core::Errno;

use crate::{engine, nowait, op, semundo, undo};

#[test]
fn exit_gives_back_and_signs() {
    let (engine, process, semid) = engine(&[5, 5, 5]);
    let other = process.fork(2).unwrap();
    other.semop(semid, &[undo(0, -3), undo(1, 2), op(2, -1)]).unwrap();
    assert_eq!(semundo(&engine, 2), format!("{semid} 3 -2 0\n"));
    assert_eq!(process.getall(semid).unwrap(), [2, 7, 4]);
    process.semop(semid, &[op(0, 1), op(1, 1), op(2, 1)]).unwrap();
    other.exit();
    assert_eq!(process.getall(semid).unwrap(), [6, 6, 5]);
    assert_eq!([0, 1, 2].map(|num| process.getpid(semid, num).unwrap()), [2, 2, 1], "2 had nothing to undo");
}

#[test]
fn values_stay_in_their_range() {
    let (_engine, process, semid) = engine(&[0, 0]);
    let other = process.fork(2).unwrap();
    other.semop(semid, &[undo(0, 5), op(1, 5)]).unwrap();
    other.semop(semid, &[undo(1, -5)]).unwrap();
    process.semop(semid, &[op(0, -3), op(1, i16::MAX)]).unwrap();
    other.exit();
    assert_eq!(process.getall(semid).unwrap(), [0, 32767]);
}

#[test]
fn adjustments_have_a_range() {
    let (engine, process, semid) = engine(&[0]);
    process.semop(semid, &[op(0, i16::MAX), undo(0, i16::MIN + 1)]).unwrap();
    assert_eq!(semundo(&engine, 1), format!("{semid} 32767\n"));
    process.semop(semid, &[op(0, 1)]).unwrap();
    assert_eq!(process.semop(semid, &[undo(0, -1)]), Err(Errno::ERANGE), "above the largest");
    assert_eq!(process.getval(semid, 0), Ok(1));
    process.setval(semid, 0, 0).unwrap();
    assert_eq!(semundo(&engine, 1), "");
    process.semop(semid, &[undo(0, i16::MAX)]).unwrap();
    process.semop(semid, &[op(0, -1)]).unwrap();
    process.semop(semid, &[undo(0, 1)]).unwrap();
    assert_eq!(semundo(&engine, 1), format!("{semid} -32768\n"));
    process.semop(semid, &[op(0, -1)]).unwrap();
    assert_eq!(process.semop(semid, &[undo(0, 1)]), Err(Errno::ERANGE), "below the smallest");
    assert_eq!(process.semop(semid, &[op(0, -1), undo(0, 1)]), Err(Errno::ERANGE));
    assert_eq!(semundo(&engine, 1), format!("{semid} -32768\n"), "and back");
}

#[test]
fn a_failed_call_undoes_nothing() {
    let (engine, process, semid) = engine(&[1, 0]);
    assert_eq!(process.semop(semid, &[undo(0, -1), nowait(1, -1)]), Err(Errno::EAGAIN));
    assert_eq!(process.semop(semid, &[undo(0, -1), undo(0, 1), nowait(0, -2)]), Err(Errno::EAGAIN));
    assert_eq!(process.semop(semid, &[undo(0, -1), nowait(0, -2)]), Err(Errno::EAGAIN));
    assert_eq!(semundo(&engine, 1), "");
    assert_eq!(process.semop(semid, &[undo(9, -1)]), Err(Errno::EFBIG));
    assert_eq!(process.semop(semid + 1, &[undo(0, -1)]), Err(Errno::EINVAL));
}

#[test]
fn setval_and_setall_forget_everywhere() {
    let (engine, process, semid) = engine(&[4, 4]);
    let others = [2, 3].map(|pid| process.fork(pid).unwrap());
    others.iter().for_each(|other| other.semop(semid, &[undo(0, -1), undo(1, -1)]).unwrap());
    process.setval(semid, 0, 9).unwrap();
    assert_eq!([2, 3].map(|pid| semundo(&engine, pid)), [format!("{semid} 0 1\n"), format!("{semid} 0 1\n")]);
    process.setall(semid, &[7, 7]).unwrap();
    assert_eq!([2, 3].map(|pid| semundo(&engine, pid)), ["", ""]);
    others.into_iter().for_each(super::Process::exit);
    assert_eq!(process.getall(semid).unwrap(), [7, 7]);
}

#[test]
fn a_removed_set_is_forgotten_and_its_successor_is_another() {
    let (engine, process, semid) = engine(&[4]);
    let other = process.fork(2).unwrap();
    let keeps = process.semget(0, 1, 0o600).unwrap();
    other.semop(semid, &[undo(0, -1)]).unwrap();
    other.semop(keeps, &[undo(0, 1)]).unwrap();
    process.rmid(semid).unwrap();
    assert_eq!(semundo(&engine, 2), format!("{keeps} -1\n"));
    // Until the place comes again.
    let next = loop {
        let next = process.semget(0, 1, 0o600).unwrap();
        if next & 32767 == semid & 32767 {
            break next;
        }
        process.rmid(next).unwrap();
    };
    assert_eq!(semundo(&engine, 2), format!("{keeps} -1\n"));
    other.semop(next, &[undo(0, 2)]).unwrap();
    assert_eq!(semundo(&engine, 2), format!("{keeps} -1\n{next} -2\n"));
    // So many removals that the list is rid of the first one's entry, whose place the successor has.
    for _ in 0..200 {
        let passes = process.semget(0, 1, 0o600).unwrap();
        other.semop(passes, &[undo(0, 1)]).unwrap();
        process.rmid(passes).unwrap();
    }
    other.semop(next, &[undo(0, 2)]).unwrap();
    assert_eq!(semundo(&engine, 2), format!("{keeps} -1\n{next} -4\n"));
    other.exit();
    assert_eq!([keeps, next].map(|semid| process.getval(semid, 0).unwrap()), [0, 0]);
}

#[test]
fn a_shared_list_is_undone_by_its_last_sharer() {
    let (engine, process, semid) = engine(&[9]);
    let parent = process.fork(5).unwrap();
    let child = parent.clone_sysvsem(3).unwrap();
    let grandchild = child.clone_sysvsem(7).unwrap();
    parent.semop(semid, &[undo(0, -1)]).unwrap();
    grandchild.semop(semid, &[undo(0, -2)]).unwrap();
    for pid in [5, 3, 7] {
        assert_eq!(semundo(&engine, pid), format!("{semid} 3\n"));
    }
    let table = |list: i32| {
        let line = |pid: i32| format!("{semid:10} {pid:10} {list:10} 3\n");
        line(3) + &line(5) + &line(7)
    };
    let read = || std::io::read_to_string(engine.open_table()).unwrap();
    let header = "     semid        pid       list semadj\n";
    assert_eq!(read(), format!("{header}{}", table(3)));
    child.exit();
    let rest: String = table(5).split_inclusive('\n').skip(1).collect();
    assert_eq!(read(), format!("{header}{rest}"), "another names the list");
    parent.exit();
    assert_eq!(process.getval(semid, 0), Ok(6));
    grandchild.exit();
    assert_eq!((process.getval(semid, 0), process.getpid(semid, 0)), (Ok(9), Ok(7)));
    assert_eq!(read(), header);
}

#[test]
fn fork_inherits_nothing_and_exec_keeps_all() {
    let (engine, process, semid) = engine(&[9]);
    let mut parent = process.fork(2).unwrap();
    parent.semop(semid, &[undo(0, -1)]).unwrap();
    let child = parent.fork(3).unwrap();
    assert_eq!(semundo(&engine, 3), "");
    parent.exec();
    assert_eq!(semundo(&engine, 2), format!("{semid} 1\n"));
    child.exit();
    assert_eq!(process.getval(semid, 0), Ok(8));
}

#[test]
fn unshare_leaves_as_exit_does() {
    let (engine, process, semid) = engine(&[9]);
    let mut alone = process.fork(2).unwrap();
    alone.semop(semid, &[undo(0, -1)]).unwrap();
    alone.unshare_sysvsem();
    assert_eq!((process.getval(semid, 0), semundo(&engine, 2)), (Ok(9), String::new()));
    let sharer = alone.clone_sysvsem(3).unwrap();
    alone.semop(semid, &[undo(0, -2)]).unwrap();
    alone.unshare_sysvsem();
    assert_eq!((process.getval(semid, 0), semundo(&engine, 2)), (Ok(7), String::new()), "another has it");
    assert_eq!(semundo(&engine, 3), format!("{semid} 2\n"));
    alone.semop(semid, &[undo(0, -3)]).unwrap();
    sharer.exit();
    assert_eq!(process.getval(semid, 0), Ok(6));
    alone.exit();
    assert_eq!(process.getval(semid, 0), Ok(9));
}

#[test]
fn exit_wakes() {
    let (_engine, process, semid) = engine(&[2, 1]);
    let other = process.fork(2).unwrap();
    other.semop(semid, &[undo(0, -2), undo(1, 1)]).unwrap();
    let third = process.fork(3).unwrap();
    let minus = third.submit(semid, &[op(0, -1)]).unwrap().unwrap();
    let both = third.submit(semid, &[op(0, -1), undo(1, -1), op(1, 0)]).unwrap().unwrap();
    other.exit();
    assert_eq!((minus.result(), both.result()), (Some(Ok(())), Some(Ok(()))));
    assert_eq!(process.getall(semid).unwrap(), [0, 0]);
    assert_eq!(process.getpid(semid, 0), Ok(3));
    drop((minus, both));
    third.exit();
    assert_eq!(process.getall(semid).unwrap(), [0, 1], "what a sleeping call did is undone too");
}
