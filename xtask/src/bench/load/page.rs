//! The page: one file of HTML with the plots in it, to be understood without anything else.

use anyhow::Result;

use super::plot::{self, Unit};
use super::rows;
use crate::bench_report::{Bar, Measurement, Sense};

const STYLE: &str = "body{font:16px/1.5 sans-serif;color:#222;background:#fff;max-width:62em;margin:2em auto;padding:0 1em}\
h1{font-size:1.6em}h2{font-size:1.25em;margin-top:2em}table{border-collapse:collapse;font-size:.85em}\
td,th{border-bottom:1px solid #ddd;padding:.2em .6em;text-align:right}\
td.w,th.w{text-align:left}svg{max-width:100%;height:auto}dt{font-weight:bold}dd{margin:0 0 .5em 1.5em}\
.no{color:#b00;font-weight:bold}.scroll{overflow-x:auto}.note{background:#fff3d6;padding:.6em 1em}";

const INTRODUCTION: &str = "\
<p>Linux keeps an <i>undo list</i> for each process that uses System V semaphores with <code>SEM_UNDO</code>: one entry for each \
semaphore set, which says what to give back when the process dies. semundo lists these entries while the process goes on. \
This page answers two questions: what does it cost a process to be listed while it works, and what does it cost to list it?</p>\
<p>A <b>writer</b> is a process that takes and gives semaphores with <code>SEM_UNDO</code> as fast as it can, 640 times on each of its sets in turn; a call of \
<code>semop(2)</code> is a <i>semop</i>. Its undo list has 1,000 entries unless another number stands there. \
A <b>reader</b> lists the undo list of the writer from the beginning to the end in reads of 4,096 bytes, again and again without a \
pause. With <b>churn</b>, sets are also made and removed (one each 32 takes and gives) and processes made that take a semaphore and \
exit (one each 1,024), so that entries come and go while they are listed. Without it, writers are <b>steady</b>.</p>";

const ENGINES: &str = "\
<p>All but the last are the very same semaphore engine in user space, <code>semundo-core</code>. They differ in how it keeps undo lists.</p>\
<dl><dt>RCU, membarrier; RCU, qsbr; RCU, epoch</dt><dd>The engine's own: a list that is read without any lock while it changes \
(read-copy-update). The three differ in how they know that nobody reads a removed entry any more.</dd>\
<dt>std Mutex, std RwLock, parking_lot RwLock</dt><dd>The list lies behind a lock. Readers hold it while they pass over the list, semops while they look \
an entry up.</dd>\
<dt>arc-swap, copy on write</dt><dd>Each change makes a copy of the whole list and puts it in the place of the old one.</dd>\
<dt>the live kernel</dt><dd>Processes that call the kernel of this machine, read by BPF as the command <code>semundo</code> does it. A system call \
costs more than a function call, so it is another league; it is here to show what the real thing does.</dd></dl>";

const METHOD: &str = "\
<ul><li>Each run takes a twentieth of a second. All engines take turns in all scenarios, twenty-five rounds long, so that whatever else the machine does, it does to \
all. Every figure is the median of its twenty-five runs.</li>\
<li>Threads are kept on cores: writers on the first ones, readers on the next, and round again. On a machine with two cores, the second reader shares \
the core of the writer, which then has half of it.</li>\
<li>Throughput is counted in batches of 512 semops in which no clock is read. <i>Per CPU second</i> divides by the CPU time of the writer's \
own threads (<code>CLOCK_THREAD_CPUTIME_ID</code>), so that a share of the core given to others does not count.</li>\
<li>Every other batch has each semop timed by the processor's clock; the times include reading it, some 10 to 20 ns. Times go into HDR histograms (three \
digits).</li>\
<li>A timed batch in which the kernel took the core away from the writer (an involuntary context switch, <code>getrusage(2)</code>) has no part in the times: \
what other threads took is not what the semop took. The column <i>preempted</i> says how many batches that were. Waiting for a lock is no preemption and counts in \
full.</li>\
<li><i>Waits</i> count how often a reader found a lock of an undo list taken; RCU readers have no lock to wait for. <i>Sleeps</i> are counted by the kernel \
(voluntary context switches of the reader's thread), for all engines alike.</li>\
<li><i>Memory</i> is what the process had from its allocator at most during a run, less what it had before: sets, processes and lists, removed entries that \
still wait for their readers, and the readers' buffers.</li>\
<li>After each run the values of all semaphores are checked, and each list must have exactly the entries that it should.</li></ul>";

/// The page.
pub fn html(all: &[Measurement], bars: &[Bar], missing: &[&str], facts: &[(&str, String)]) -> Result<String> {
    let rows = rows::rows(all);
    let readers = |scenario, figure, unit, title| plot::over_readers(&rows, scenario, figure, unit, false, title);
    let over = |scenarios: &[(&str, &str)], x, figure, unit, log, title| {
        plot::over_scenarios(&rows, (scenarios, x), figure, (unit, log), title)
    };
    let mut text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>semundo under load</title>\
         <style>{STYLE}</style></head><body>\n<h1>Undo lists, read under heavy semop load</h1>\n"
    );
    text += "<table>";
    for (name, value) in facts {
        text += &format!("<tr><th class=\"w\">{name}</th><td class=\"w\">{}</td></tr>", escape(value));
    }
    text += "</table>\n";
    text += INTRODUCTION;
    for reason in missing {
        text += &format!("<p class=\"note\">{}</p>\n", escape(reason));
    }
    let mut section = |title: &str, words: &str, plots: &[plot::Plot]| -> Result<()> {
        if !title.is_empty() {
            text += &format!("<h2>{title}</h2>\n");
        }
        text += &format!("<p>{words}</p>\n");
        if !plots.is_empty() {
            text += &plot::svg(plots)?;
        }
        Ok(())
    };
    section(
        "Throughput, while entries come and go",
        "Higher is better, on both sides. One writer with churn and 0 to 4 readers. Where there are more threads than cores \
         they share them, so that the writer has less of its core to itself: compare the lines at the same number of readers. A lock makes the two sides wait for each other, a copy \
         makes each change dear; RCU does neither.",
        &[
            readers("churn", "semops", Unit::Rate, "Writer: semops a second"),
            readers("churn", "entries", Unit::Rate, "Readers: entries listed a second"),
        ],
    )?;
    section(
        "Throughput, steady",
        "Higher is better. One writer that takes and gives only. Left: semops for each second of CPU time that the writer had, so that \
         what is seen is what readers do to it beyond taking their share of the core.",
        &[
            readers("steady", "semops-cpu", Unit::Rate, "Writer: semops a second of CPU time"),
            readers("steady", "entries", Unit::Rate, "Readers: entries listed a second"),
        ],
    )?;
    section(
        "How long a semop takes",
        "Lower is better; each line up is ten times as long. p99 = 1 &micro;s means that 99 of 100 semops take no more than that. With churn, one in 65 \
         semops is the first on its set and makes an entry.",
        &[
            plot::percentiles(&rows, "churn", 0, "A semop's time, churn, no reader"),
            plot::percentiles(&rows, "churn", 1, "A semop's time, churn, 1 reader"),
        ],
    )?;
    section(
        "",
        "The same without churn. Where a reader has read an entry since, the next semop on it fetches the processor's cache line back, which takes \
         some 200 ns, once for each set and round: the p99.9.",
        &[
            plot::percentiles(&rows, "steady", 0, "A semop's time, steady, no reader"),
            plot::percentiles(&rows, "steady", 1, "A semop's time, steady, 1 reader"),
        ],
    )?;
    section(
        "Memory held",
        "Lower is better. The most that was held during a run. RCU keeps a removed entry until its readers are gone, and bounds how many of \
         those there are.",
        &[
            readers("steady", "memory", Unit::Memory, "Memory, steady"),
            readers("churn", "memory", Unit::Memory, "Memory, churn"),
        ],
    )?;
    let lengths =
        [("churn-sets-10", "10"), ("churn-sets-100", "100"), ("churn", "1,000"), ("churn-sets-10000", "10,000")];
    section(
        "Longer and shorter lists",
        "One writer with churn, one reader; only the number of entries differs.",
        &[
            over(&lengths, "entries of the list", "semops", Unit::Rate, true, "Writer: semops a second"),
            over(&lengths, "entries of the list", "entries", Unit::Rate, true, "Reader: entries a second"),
        ],
    )?;
    let writers = [("churn", "1"), ("churn-writers-2", "2"), ("churn-writers-4", "4")];
    section(
        "More writers",
        "Each has a list of its own, and the one reader lists them in turn.",
        &[
            over(&writers, "writers", "semops", Unit::Rate, false, "Writers: semops a second, all together"),
            over(&writers, "writers", "entries", Unit::Rate, false, "Reader: entries a second"),
        ],
    )?;
    let sizes = [("churn-read-256", "256"), ("churn", "4,096"), ("churn-read-65536", "65,536")];
    section(
        "Larger and smaller reads",
        "How many bytes the reader asks for at a time.",
        &[
            over(&sizes, "bytes a read", "semops", Unit::Rate, false, "Writer: semops a second"),
            over(&sizes, "bytes a read", "entries", Unit::Rate, false, "Reader: entries a second"),
        ],
    )?;
    text += &format!("<h2>Who is measured</h2>\n{ENGINES}\n<h2>How it is measured</h2>\n{METHOD}\n");
    text += "<h2>What was asked for</h2>\n";
    text += &bar_table(bars);
    text += "<h2>All figures</h2>\n<p>Medians. <i>Readers</i> is their number; a dash is what does not apply.</p>\n";
    let cells: Vec<_> = rows.iter().map(rows::cells).collect();
    text += &table(&rows::header(), &cells, &[0, 2]);
    text += "</body></html>\n";
    Ok(text)
}

fn bar_table(bars: &[Bar]) -> String {
    let rows: Vec<_> = bars
        .iter()
        .map(|bar| {
            let sense = if bar.sense == Sense::AtMost { "at most" } else { "at least" };
            let value = bar.value.map_or("NOT MEASURED".to_owned(), |value| format!("{value:.3}"));
            vec![
                bar.bar.clone(),
                value,
                format!("{sense} {}", bar.bound),
                if bar.met { "yes" } else { "NO" }.to_owned(),
            ]
        })
        .collect();
    table(&["what is compared", "value", "asked for", "met"], &rows, &[0])
}

/// A table whose columns of words are named.
fn table(header: &[&str], rows: &[Vec<String>], words: &[usize]) -> String {
    let class = |at: usize| if words.contains(&at) { " class=\"w\"" } else { "" };
    let mut text = "<div class=\"scroll\"><table><tr>".to_owned();
    for (at, heading) in header.iter().enumerate() {
        text += &format!("<th{}>{heading}</th>", class(at));
    }
    text += "</tr>\n";
    for row in rows {
        text += "<tr>";
        for (at, cell) in row.iter().enumerate() {
            let class = if cell == "NO" || cell == "NOT MEASURED" { " class=\"no\"" } else { class(at) };
            text += &format!("<td{class}>{}</td>", escape(cell));
        }
        text += "</tr>\n";
    }
    text + "</table></div>\n"
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(case: &str, engine: &str, threads: u32, median: f64) -> Measurement {
        let (case, engine) = (case.to_owned(), engine.to_owned());
        let (group, unit) = ("load".to_owned(), "1/s".to_owned());
        Measurement { group, case, engine, threads, unit, median, min: median, max: median, runs: 1 }
    }

    #[test]
    fn the_page_says_what_was_measured_and_what_was_not() {
        let all = [figure("churn:semops", "membarrier", 1, 8e6), figure("churn:entries", "membarrier", 1, 5e6)];
        let bars = [Bar::new("a < b".to_owned(), None, Sense::AtMost, 0.2)];
        let facts = [("Machine", "two & three".to_owned())];
        let text = html(&all, &bars, &["NOT MEASURED: the live kernel: not <root>"], &facts).unwrap();
        for expected in [
            "two &amp; three",
            "NOT MEASURED: the live kernel: not &lt;root&gt;",
            "<td class=\"w\">a &lt; b</td><td class=\"no\">NOT MEASURED</td>",
            "<td>8.00</td>",
            "<svg",
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
    }

    #[test]
    fn the_page_needs_nothing_but_itself() {
        let text = html(&[figure("churn:semops", "membarrier", 1, 8e6)], &[], &[], &[]).unwrap();
        let outside = ["src=", "href=", "@import", "url(", "<script"];
        assert!(outside.iter().all(|reference| !text.contains(reference)));
    }
}
