#!/usr/bin/env python3
"""Draws docs/terminal.svg: what a terminal shows in a real session with a library on this machine.

    cargo build --release && cargo build --example library-server
    docs/terminal.py target/release/apptainer target/debug/examples/library-server > docs/terminal.svg
"""

import html
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from fcntl import ioctl

COLUMNS, CELL, LINE, MARGIN = 92, 8.43, 19, 16
COLOURS = {31: "#e06c75", 32: "#98c379", 33: "#d19a66", 34: "#61afef", 36: "#56b6c2"}
TOKEN = "example-token"


def environment(home):
    return {"HOME": home, "PATH": "/usr/bin:/bin", "SSL_CERT_FILE": f"{home}/ca.pem"}


def run(command, home):
    """What a command writes to a terminal of COLUMNS columns."""
    pid, screen = pty.fork()
    if pid == 0:
        ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
        os.chdir(home)
        os.execve(command[0], command, environment(home) | {"TERM": "xterm"})
    ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    output = b""
    while True:
        try:
            block = os.read(screen, 65536)
        except OSError:
            break
        if not block:
            break
        output += block
    os.waitpid(pid, 0)
    return output.decode()


def lines(text):
    """The lines as they stay on the screen: a progress bar is drawn over and over."""
    text = re.sub(r"\x1b\[\d*[A-KM-Za-ln-z]", "", text.replace("\r\n", "\n"))
    return [part for line in text.rstrip("\n").split("\n") for part in wrapped(line.rsplit("\r", 1)[-1])]


def wrapped(line):
    """The line as the terminal breaks it."""
    parts, width = [""], 0
    for piece in re.split(r"(\x1b\[[\d;]*m|.)", line):
        if piece and width == COLUMNS:
            parts.append("")
            width = 0
        width += 0 if piece.startswith("\x1b") else len(piece)
        parts[-1] += piece
    return parts


def spans(line):
    """SVG of a line with its colours."""
    bold, colour, parts = False, None, []
    for part in re.split(r"(\x1b\[[\d;]*m)", line):
        if match := re.fullmatch(r"\x1b\[([\d;]*)m", part):
            for code in [int(code or 0) for code in match[1].split(";")]:
                if code == 0:
                    bold, colour = False, None
                elif code == 1:
                    bold = True
                else:
                    colour = COLOURS.get(code, colour)
        elif part:
            style = (f' fill="{colour}"' if colour else "") + (' font-weight="bold"' if bold else "")
            parts.append(f"<tspan{style}>{html.escape(part)}</tspan>")
    return "".join(parts)


def picture(all_lines):
    width, height = COLUMNS * CELL + 2 * MARGIN, len(all_lines) * LINE + 2 * MARGIN
    print(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img"'
        f' font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14">'
    )
    print(f'<rect width="100%" height="100%" rx="8" fill="#282c34"/><g fill="#dcdfe4" xml:space="preserve">')
    for number, line in enumerate(all_lines):
        if line:
            print(f'<text x="{MARGIN}" y="{MARGIN + LINE * (number + 0.75):.1f}">{spans(line)}</text>')
    print("</g></svg>")


def image(home):
    """A signed image of some size."""
    data, file = os.path.join(home, "data"), os.path.join(home, "blast.sif")
    with open(data, "wb") as out:
        out.write(os.urandom(24 << 20))
    with open(data + ".sig", "wb") as out:
        out.write(b"a signature")
    partition = ["--datatype", "4", "--partfs", "1", "--parttype", "2", "--partarch", "2", "--groupid", "1"]
    signature = ["--datatype", "5", "--signhash", "1", "--signentity", "8883491F4268F173C6E5DC49EDECE4F3F38D871E"]
    subprocess.run(["siftool", "new", file], check=True)
    subprocess.run(["siftool", "add", *partition, file, data], check=True)
    subprocess.run(["siftool", "add", *signature, "--groupid", "1", file, data + ".sig"], check=True)
    return file


def main():
    program, server = map(os.path.abspath, sys.argv[1:])
    home = tempfile.mkdtemp()
    os.makedirs(f"{home}/bin")
    program = shutil.copy(program, f"{home}/bin/apptainer")
    os.makedirs(f"{home}/etc/apptainer")
    library = subprocess.Popen(
        [server, "--ca", f"{home}/ca.pem", "--image", f"lab/tools/blast:v1={image(home)}", "--token", TOKEN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    url = library.stdout.readline().split()[-1]
    host = url.split("//")[1]
    for words in [f"remote add mycloud {url}", "remote add --no-login --no-default lab lab.example.com"]:
        command = [program, *words.split()]
        subprocess.run(command, env=environment(home), check=True, input=TOKEN, text=True, stderr=subprocess.DEVNULL)
    session = []
    for words in ["remote list", "remote status", "pull library://lab/tools/blast:v1"]:
        shown = run([program, *words.split()], home)
        # A host that is as wide as the address of the library on this machine.
        shown = shown.replace(host, "lib.example.com").replace(home, "/home/ada")
        session += [f"\x1b[32m$\x1b[0m \x1b[1mapptainer {words}\x1b[0m", *lines(shown), ""]
    picture(session[:-1])
    library.terminate()
    shutil.rmtree(home)


main()
