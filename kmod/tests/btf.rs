//! The BTF parser and the layout check, against gcc's idea of the same structures.
#![allow(missing_docs)]

use std::fs;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use semundo_kmod::btf::{Btf, Malformed};
use semundo_kmod::layout::{Expected, Refusal, check, report};

/// Structures with everything that a parser has to pass over, and a program that prints what gcc makes of them.
const SOURCE: &str = r#"
#include <stddef.h>
#include <stdio.h>
enum small { A, B = 7 };
enum large { C = 1LL << 40 };
union either { int i; double d; };
typedef int (*function)(const char *, volatile long);
struct forward;
struct list { struct list *next, *prev; };
struct plain { char c; struct list list; short array[3]; union either either; enum small small; function f; };
struct bits { unsigned a : 3, b : 5; unsigned char whole; struct forward *forward; enum large large; };
struct flexible { int n; short adj[]; };
float ratio;
struct plain plain;
struct bits bits;
struct flexible flexible;
int call(function f) { return f ? 1 : 0; }
int main(void)
{
#define MEMBER(s, m) printf(#s " " #m " %zu\n", offsetof(struct s, m))
#define SIZE(s) printf(#s " - %zu\n", sizeof(struct s))
	MEMBER(list, next); MEMBER(list, prev); SIZE(list);
	MEMBER(plain, c); MEMBER(plain, list); MEMBER(plain, array); MEMBER(plain, either); MEMBER(plain, small);
	MEMBER(plain, f); SIZE(plain);
	MEMBER(bits, whole); MEMBER(bits, forward); MEMBER(bits, large); SIZE(bits);
	MEMBER(flexible, n); MEMBER(flexible, adj); SIZE(flexible);
}
"#;

/// gcc's type information for the structures, and what `offsetof` and `sizeof` say.
fn gcc() -> (Vec<u8>, String) {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("btf-{:?}", std::thread::current().id()));
    fs::create_dir_all(&dir).unwrap();
    let [source, program, btf] = ["types.c", "types", "btf"].map(|name| dir.join(name));
    fs::write(&source, SOURCE).unwrap();
    let run = |command: &mut Command| {
        let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    run(Command::new("gcc").args(["-gbtf", "-std=gnu11", "-w", "-o"]).arg(&program).arg(&source));
    let dump = format!(".BTF={}", btf.display());
    run(Command::new("objcopy").args(["--dump-section", &dump]).arg(&program));
    let facts = run(&mut Command::new(&program));
    (fs::read(btf).unwrap(), facts)
}

/// The facts as expectations.
fn expectations(facts: &str) -> Vec<Expected<'_>> {
    facts
        .lines()
        .map(|line| {
            let [structure, member, offset] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
            Expected { structure, member: Some(member).filter(|name| *name != "-"), offset: offset.parse().unwrap() }
        })
        .collect()
}

#[test]
fn every_offset_is_gccs() {
    let (btf, facts) = gcc();
    let expected = expectations(&facts);
    assert_eq!(expected.len(), 17);
    check(&btf, expected.iter().copied()).unwrap();
    for wrong in &expected {
        let shifted = Expected { offset: wrong.offset + 1, ..*wrong };
        let refusal = check(&btf, [shifted]).unwrap_err();
        assert_eq!(refusal, Refusal::Differs { expected: shifted, found: Some(wrong.offset) });
    }
}

#[test]
fn refusals_say_what_differs() {
    let (btf, _) = gcc();
    let say = |structure, member, offset| {
        let mut message = [0xff; 120];
        report(&check(&btf, [Expected { structure, member, offset }]).unwrap_err(), &mut message);
        std::ffi::CStr::from_bytes_until_nul(&message).unwrap().to_str().unwrap().to_owned()
    };
    assert_eq!(
        say("plain", Some("list"), 4),
        "struct plain: list is expected at byte 4, the running kernel has it at 8"
    );
    assert_eq!(say("plain", Some("lost"), 4), "struct plain: lost is expected at byte 4, the running kernel has none");
    assert_eq!(say("list", None, 24), "struct list is expected to have 24 bytes, the running kernel's has 16");
    assert_eq!(say("nowhere", None, 24), "the kernel's type information (BTF) has no struct nowhere");
    // A bit field is at no byte.
    assert_eq!(say("bits", Some("b"), 0), "struct bits: b is expected at byte 0, the running kernel has none");

    let mut short = [0xff; 8];
    report(&Refusal::Malformed, &mut short);
    assert_eq!(short[7], 0);
}

#[test]
fn what_is_cut_short_is_malformed() {
    let (btf, facts) = gcc();
    for len in 0..btf.len() {
        // The strings come last: without their end some name is cut, or the section is too short.
        assert!(check(&btf[..len], expectations(&facts)).is_err(), "{len} of {} bytes were taken", btf.len());
    }
    assert_eq!(Btf::parse(b"").unwrap_err(), Malformed);
}

/// The running kernel's own types: the ones that rcu-core is laid out as.
#[test]
fn the_running_kernels_lists_are_as_expected() {
    let btf = fs::read("/sys/kernel/btf/vmlinux").expect("this test reads the type information of the running kernel");
    let expect = |structure, member, offset| Expected { structure, member, offset };
    let expected = [
        expect("list_head", Some("next"), 0),
        expect("list_head", Some("prev"), 8),
        expect("list_head", None, 16),
        expect("callback_head", Some("next"), 0),
        expect("callback_head", Some("func"), 8),
        expect("callback_head", None, 16),
        expect("sem_undo_list", Some("list_proc"), 8),
    ];
    check(&btf, expected).unwrap();
}

proptest! {
    /// Bytes that nobody vouches for: an answer, never a panic.
    #[test]
    fn spoilt_bytes_are_answered(spoils in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        static GCC: std::sync::OnceLock<(Vec<u8>, String)> = std::sync::OnceLock::new();
        let (btf, facts) = GCC.get_or_init(gcc);
        let mut btf = btf.clone();
        for (at, byte) in spoils {
            let at = at.index(btf.len());
            btf[at] = byte;
        }
        let _ = check(&btf, expectations(facts));
    }
}
