
"use strict";
// Sorts tables by a column and narrows them to rows that contain a text. Nothing else: all that is
// shown is in the page without it.
(() => {
	const units = {ns: 1, us: 1e3, ms: 1e6, s: 1e9};

	// What a cell sorts by: a number, a length of time as ns, else its text.
	const key = (row, column) => {
		const text = row.cells[column] ? row.cells[column].textContent.trim() : "";
		const found = /^<?(-?[0-9]*\.?[0-9]+)(?:%| (ns|us|ms|s))?$/.exec(text);
		return found ? Number(found[1]) * (units[found[2]] || 1) : text;
	};

	const compare = (a, b) => {
		if (typeof a === typeof b && typeof a === "number") return a - b;
		if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
		return a < b ? -1 : a > b ? 1 : 0;
	};

	const sort = (table, column) => {
		const heads = table.tHead.rows[0].cells, body = table.tBodies[0];
		const down = heads[column].getAttribute("aria-sort") === "ascending";
		const rows = [...body.rows].map((row, at) => [key(row, column), at, row]);
		rows.sort((a, b) => (down ? compare(b[0], a[0]) : compare(a[0], b[0])) || a[1] - b[1]);
		for (const head of heads) head.removeAttribute("aria-sort");
		heads[column].setAttribute("aria-sort", down ? "descending" : "ascending");
		body.append(...rows.map(row => row[2]));
	};

	const addSorting = table => {
		[...table.tHead.rows[0].cells].forEach((head, column) => {
			const button = document.createElement("button");
			button.type = "button";
			button.textContent = head.textContent;
			button.addEventListener("click", () => sort(table, column));
			head.replaceChildren(button);
		});
	};

	const addFilter = table => {
		const form = document.createElement("div"), label = document.createElement("label");
		const input = document.createElement("input"), said = document.createElement("span");
		const rows = [...table.tBodies[0].rows].map(row => [row, row.textContent.toLowerCase()]);
		form.className = "filter";
		input.type = "search";
		input.id = table.id + "-filter";
		label.htmlFor = input.id;
		label.textContent = "Filter rows";
		input.setAttribute("aria-describedby", table.caption.id);
		said.setAttribute("role", "status");
		input.addEventListener("input", () => {
			const text = input.value.toLowerCase();
			let shown = 0;
			for (const [row, content] of rows) {
				row.hidden = !content.includes(text);
				shown += !row.hidden;
			}
			said.textContent = text ? shown + " of " + rows.length : "";
		});
		form.append(label, input, said);
		table.parentElement.before(form);
	};

	for (const table of document.querySelectorAll(".scroll > table")) {
		if (table.tBodies[0].rows.length < 2) continue;
		addSorting(table);
		if (table.tBodies[0].rows.length > 10) addFilter(table);
	}
})();
