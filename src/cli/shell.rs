//! `tidings completions` and `tidings man`: made of the same description of the command line as `--help`.

use std::io::Write;

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;

use super::{Cli, exit};

/// The options of `tidings completions`.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// For which shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// The options of `tidings man`.
#[derive(Debug, Args)]
pub(super) struct Man {
    /// The page of this command; without it, of the whole program
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

pub(super) fn completions(args: &Completions) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tidings", &mut script);
    put(&script)
}

pub(super) fn man(args: &Man) -> u8 {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let Some(name) = &args.command else {
        return page(program);
    };
    let found = program
        .get_subcommands()
        .find(|command| command.get_name() == name)
        .cloned();
    if let Some(command) = found {
        return page(command);
    }
    let names: Vec<&str> = program.get_subcommands().map(Command::get_name).collect();
    let _ = writeln!(
        std::io::stderr(),
        "error: there is no command `{name}`; there is {}",
        names.join(", ")
    );
    exit::USAGE
}

fn page(command: Command) -> u8 {
    let mut text = Vec::new();
    // written to memory
    let _ = clap_mangen::Man::new(command).render(&mut text);
    put(&text)
}

fn put(text: &[u8]) -> u8 {
    // a reader that went away is nobody's error
    let _ = std::io::stdout().lock().write_all(text);
    exit::DONE
}
