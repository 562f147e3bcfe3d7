// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Signals are blocked but while it is waited for keys: so none is missed, and none
 * interrupts what is being drawn. That one came which is to end the program is a kind of
 * key: the terminal is given back on the one way out.
 */
#include "user/cli/top_curses.h"

#include <curses.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <unistd.h>

#include "user/base/parse.h"

static SCREEN *screen;
static sigset_t outside; /* what is blocked while it is waited */
static volatile sig_atomic_t ended;

static const int endings[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

static void note_end(int signal)
{
	ended = signal;
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = note_end};
	sigset_t blocked;

	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
		sigaction(endings[i], &action, NULL);
		sigaddset(&blocked, endings[i]);
	}
	sigaddset(&blocked, SIGWINCH);
	sigaddset(&blocked, SIGTSTP);
	sigprocmask(SIG_BLOCK, &blocked, &outside);
	for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++)
		sigdelset(&outside, endings[i]);
	sigdelset(&outside, SIGWINCH);
	sigdelset(&outside, SIGTSTP);
}

static const struct {
	short colour;
	attr_t attribute; /* with it, and without */
	attr_t plain;
} looks[LOOKS] = {
	[LOOK_PLAIN] = {-1, A_NORMAL, A_NORMAL},
	[LOOK_TITLE] = {-1, A_REVERSE, A_REVERSE},
	[LOOK_SELECTED] = {-1, A_BOLD | A_UNDERLINE, A_BOLD | A_UNDERLINE},
	[LOOK_DIM] = {COLOR_CYAN, A_NORMAL, A_NORMAL},
	[LOOK_GOOD] = {COLOR_GREEN, A_NORMAL, A_NORMAL},
	[LOOK_SETTLING] = {COLOR_YELLOW, A_BOLD, A_NORMAL},
	[LOOK_ALARM] = {COLOR_RED, A_BOLD, A_BOLD},
};

static bool init_colours(void)
{
	const char *unwanted = getenv("NO_COLOR");

	if (!has_colors() || start_color() == ERR)
		return false;
	use_default_colors();
	for (short i = 0; i < LOOKS; i++)
		init_pair((short)(i + 1), looks[i].colour, -1);
	return !unwanted || !*unwanted;
}

static bool is_known(struct problem *problem)
{
	const char *name = getenv("TERM"), *move;
	int error;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
		problem_set(problem, -ENOTTY,
			"this is no terminal; `cpuwarden top --once` prints one screen");
		return false;
	}
	if (setupterm(NULL, STDOUT_FILENO, &error) == OK) {
		move = tigetstr("cup");
		if (move && move != (const char *)-1)
			return true;
	}
	problem_set(problem, -ENOTTY,
		"a terminal of the kind '%s' cannot show this; `cpuwarden top --once` prints one screen",
		name ? name : "");
	return false;
}

void terminal_close(void)
{
	if (!screen)
		return;
	/* Where a terminal has one screen only the prompt comes here. */
	move(LINES - 1, 0);
	clrtoeol();
	refresh();
	endwin();
	delscreen(screen);
	screen = NULL;
}

int terminal_open(bool *ret_colour, struct problem *problem)
{
	if (!is_known(problem))
		return -ENOTTY;
	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return problem_set(problem, -ENOTTY, "cannot use this terminal");
	atexit(terminal_close);
	catch_signals();
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, true);
	nodelay(stdscr, true);
	/* Over a slow line the rest of what an arrow key sends comes late. */
	set_escdelay(250);
	curs_set(0);
	*ret_colour = init_colours();
	return 0;
}

int terminal_grid(struct grid *ret_grid)
{
	int rows, cols;

	getmaxyx(stdscr, rows, cols);
	return grid_init((unsigned int)rows, (unsigned int)cols, ret_grid);
}

void terminal_show(const struct grid *grid, bool colour)
{
	colour = colour && has_colors();
	for (unsigned int row = 0; row < grid->rows; row++)
		for (unsigned int col = 0; col < grid->cols; col++) {
			const struct cell *cell = &grid->cells[row * grid->cols + col];
			chtype shown = (chtype)cell->text;

			if (colour)
				shown |= looks[cell->look].attribute |
					 COLOR_PAIR(cell->look + 1);
			else
				shown |= looks[cell->look].plain;
			mvaddch((int)row, (int)col, shown);
		}
	refresh();
}

static int translate(int key)
{
	static const struct {
		int from, to;
	} keys[] = {{KEY_UP, TOP_UP}, {KEY_DOWN, TOP_DOWN}, {KEY_PPAGE, TOP_PAGE_UP},
		{KEY_NPAGE, TOP_PAGE_DOWN}, {KEY_HOME, TOP_HOME}, {KEY_END, TOP_END},
		{KEY_RIGHT, TOP_ENTER}, {KEY_ENTER, TOP_ENTER}, {'\r', TOP_ENTER},
		{'\n', TOP_ENTER}, {KEY_LEFT, TOP_BACK}, {KEY_BACKSPACE, TOP_BACK},
		{'\b', TOP_BACK}, {0x7f, TOP_BACK}, {0x1b, TOP_BACK},
		{KEY_RESIZE, TERMINAL_RESIZED}};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (keys[i].from == key)
			return keys[i].to;
	/* Ctrl-L: somebody else has written there. */
	if (key == '\f')
		clearok(curscr, true);
	return key > 0 && key < 256 ? key : TERMINAL_RESIZED;
}

int terminal_key(uint64_t wait_ns)
{
	const struct timespec wait = {.tv_sec = (time_t)(wait_ns / 1000000000),
		.tv_nsec = (long)(wait_ns % 1000000000)};
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	int key = getch();

	if (key == ERR && !ended) {
		int n = ppoll(&input, 1, &wait, &outside), there = 0;

		/* It has ended, when there is nothing to be read and no wait for it. */
		if (n > 0 && (ioctl(STDIN_FILENO, FIONREAD, &there) || !there))
			return TERMINAL_END;
		key = getch();
	}
	if (ended)
		return TERMINAL_END;
	return key == ERR ? TERMINAL_NOTHING : translate(key);
}

unsigned int terminal_cols(void)
{
	const char *given = getenv("COLUMNS");
	struct winsize size;
	uint64_t cols;

	if (given && !parse_u64(given, 1000, &cols) && cols >= 20)
		return (unsigned int)cols;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col >= 20)
		return size.ws_col;
	return 80;
}
