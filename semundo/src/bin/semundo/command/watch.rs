//! `semundo watch`: a live view of who holds which semaphore.
//!
//! Keys, signals and readings come from a thread each, as events of one channel, so that a slow reading holds up no key.

mod model;
mod plain;
mod view;

use std::env;
use std::io::{self, IsTerminal};
use std::mem::ManuallyDrop;
use std::ops::ControlFlow;
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result};
use nix::sys::signal::{SigSet, Signal, raise};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use semundo::Source;
use semundo::holding::Holding;

use crate::cli::Watch;
use crate::print;
use crate::reading::Reader;
use model::Model;

use view::View;

/// Shows the view until it is quit, or prints tables where there is no terminal that could show it.
pub fn run(arguments: &Watch, source: Box<dyn Source>) -> Result<()> {
    let reader = Reader::new(source, &arguments.pids, arguments.all)?;
    let is_dumb = env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    if is_dumb || !io::stdout().is_terminal() {
        return plain::run(&reader, arguments, &mut print::stdout());
    }
    let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]);
    signals.thread_block()?; // The threads that are made from here on inherit it.
    let ended_by = full_screen(&reader, arguments, signals).or_else(|error| {
        // Writing to a terminal that hung up fails before its SIGHUP is heard of.
        if io::stdout().is_terminal() { Err(error) } else { Ok(Some(Signal::SIGHUP)) }
    })?;
    signals.thread_unblock()?;
    if let Some(signal) = ended_by {
        raise(signal)?;
    }
    Ok(())
}

/// What the view waits for.
enum Event {
    /// A key, or another size.
    Terminal(io::Result<event::Event>),
    /// One of those that end programs.
    Signal(Signal),
    /// What was read, or the panic of that.
    Reading(thread::Result<Result<Vec<Holding>>>),
}

/// The terminal while it shows the view. It is as it was before when this is gone; after a panic by ratatui's panic hook, whose
/// message would be overwritten if it were restored once more. Never dropped itself, because that panics where the terminal
/// that it would complain to has hung up.
struct Screen(ManuallyDrop<DefaultTerminal>);

impl Screen {
    fn open() -> Result<Self> {
        let opened = ratatui::try_init().map(ManuallyDrop::new).map(Self);
        opened.inspect_err(|_| drop(ratatui::try_restore())).context("terminal")
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that cannot be restored any more is gone.
        if !thread::panicking() {
            let _ = ratatui::try_restore();
        }
        let _ = self.0.show_cursor();
    }
}

/// Returns the signal that ended it, if one did.
fn full_screen(reader: &Reader, arguments: &Watch, signals: SigSet) -> Result<Option<Signal>> {
    let (sender, events) = mpsc::channel();
    let (requests, requested) = mpsc::channel();
    let mut screen = Screen::open()?;
    spawn_signals(signals, sender.clone());
    spawn_keys(sender.clone());
    thread::scope(|scope| {
        // Ends when `requests` is dropped.
        scope.spawn(move || {
            for () in requested {
                let reading = panic::catch_unwind(AssertUnwindSafe(|| reader.read()));
                if sender.send(Event::Reading(reading)).is_err() {
                    return;
                }
            }
        });
        let ended_by = Session::new(reader, arguments, requests).run(&mut screen, &events);
        drop(screen);
        ended_by
    })
}

fn spawn_signals(signals: SigSet, sender: Sender<Event>) {
    thread::spawn(move || {
        if let Ok(signal) = signals.wait() {
            // Nobody listens where the view has ended by itself.
            let _ = sender.send(Event::Signal(signal));
        }
        // A second signal ends the command at once, should the terminal keep it from ending in order.
        if signals.thread_unblock().is_ok() {
            loop {
                thread::park();
            }
        }
    });
}

fn spawn_keys(sender: Sender<Event>) {
    thread::spawn(move || {
        loop {
            let read = event::read();
            let is_over = read.is_err();
            if sender.send(Event::Terminal(read)).is_err() || is_over {
                return;
            }
        }
    });
}

/// The view at work.
struct Session<'a> {
    reader: &'a Reader,
    arguments: &'a Watch,
    model: Model,
    view: View,
    requests: Sender<()>,
    /// When the next reading is wanted; `None` while one is under way.
    next: Option<Instant>,
}

impl<'a> Session<'a> {
    fn new(reader: &'a Reader, arguments: &'a Watch, requests: Sender<()>) -> Self {
        let view = View {
            source: reader.source(),
            interval: arguments.interval,
            colours: env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
            namespaces: arguments.all,
            paused: false,
            help: false,
        };
        Self { reader, arguments, model: Model::default(), view, requests, next: Some(Instant::now()) }
    }

    fn run(mut self, screen: &mut Screen, events: &Receiver<Event>) -> Result<Option<Signal>> {
        loop {
            screen.0.draw(|frame| self.view.draw(&mut self.model, frame))?;
            let event = match self.next.filter(|_| !self.view.paused) {
                None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(next) => events.recv_timeout(next.saturating_duration_since(Instant::now())),
            };
            let goes_on = match event {
                Err(RecvTimeoutError::Timeout) => {
                    self.next = None;
                    self.requests.send(()).context("the thread that reads has ended")?;
                    ControlFlow::Continue(())
                }
                Err(RecvTimeoutError::Disconnected) => ControlFlow::Break(()),
                Ok(Event::Signal(signal)) => return Ok(Some(signal)),
                Ok(Event::Reading(reading)) => self.take(reading.unwrap_or_else(|panic| panic::resume_unwind(panic))),
                Ok(Event::Terminal(event)) => match event.context("terminal")? {
                    event::Event::Key(key) if key.kind != KeyEventKind::Release => self.press(key),
                    _ => ControlFlow::Continue(()),
                },
            };
            if goes_on.is_break() {
                return Ok(None);
            }
        }
    }

    /// Takes a reading, if it is wanted still.
    fn take(&mut self, reading: Result<Vec<Holding>>) -> ControlFlow<()> {
        self.next = Some(Instant::now() + self.arguments.interval);
        if self.view.paused {
            return ControlFlow::Continue(());
        }
        if let Ok(holdings) = &reading {
            self.view.namespaces = self.reader.tells_namespaces(holdings);
        }
        self.model.take(SystemTime::now(), reading.map_err(|error| format!("{error:#}")));
        if self.arguments.count == Some(self.model.readings) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn press(&mut self, key: KeyEvent) -> ControlFlow<()> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => return ControlFlow::Break(()),
            KeyCode::Esc if self.view.help => self.view.help = false,
            KeyCode::Char('q') | KeyCode::Esc => return ControlFlow::Break(()),
            KeyCode::Char(' ') => self.view.paused = !self.view.paused,
            KeyCode::Char('s') => self.model.sort_by_next(&self.view.columns()),
            KeyCode::Char('r') => self.model.reverse(),
            KeyCode::Char('?' | 'h') => self.view.help = !self.view.help,
            KeyCode::Up => self.model.move_by(-1),
            KeyCode::Down => self.model.move_by(1),
            KeyCode::PageUp => self.model.move_by_pages(-1),
            KeyCode::PageDown => self.model.move_by_pages(1),
            KeyCode::Home => self.model.move_by(isize::MIN),
            KeyCode::End => self.model.move_by(isize::MAX),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
