// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>

#include "tests/unit/build_sample.h"
#include "tests/unit/scratch.h"
#include "user/store/recording.h"

static char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", scratch, name);
	return path;
}

/* Something in every field. */
static void fill(struct sample *sample)
{
	struct culprit *culprit;
	struct sample_vm *vm;

	sample_init(sample, 100, 2, 4);
	sample->lost = 3;
	sample->measures = true;
	problem_set(&sample->why, 0, "why \"not\"");
	problem_set(&sample->note, 0, "note");
	sample_add_vm(sample, "web1", 2, 2);
	vm = sample_add_vm(sample, "web2\\x2f\xc3\xa4", 1, 1);
	vm->reason = strdup("a reason");
	vm->foreign[CAUSED_BY_OTHER_VM] = (struct tally){1, UINT64_MAX};
	vm->off_set = (struct tally){2, 3};
	vm->settling = (struct tally){0, 4};
	vm->vcpus[0].tally.run_ns = 5;
	vm->vcpus[0].tally.wait_ns = 6;
	vm->vcpus[0].tally.switches = 7;
	vm->vcpus[0].tally.waits[WAIT_BUCKETS - 1] = 8;
	vm->vcpus[0].tally.off_set.count = 9;
	vm->vcpus[1].counted = false;
	sample->cpus[0].online = false;
	sample->cpus[0].node = sample->cpus[0].core = TOPOLOGY_UNKNOWN;
	sample->cpus[4].shared = true;
	sample->cpus[2].vcpu = -1;
	sample->cpus[3].tally.switches = 10;
	sample->cpus[3].tally.foreign[CAUSED_BY_KTHREAD] = (struct tally){11, 12};
	sample->cpus[3].tally.off_set.count = 13;
	sample->cpus[3].tally.settling.count = 14;
	sample->cpus[3].tally.bound_kthread.count = 15;
	sample->cpus[3].tally.interrupts.count = 16;
	sample->cpus[3].tally.softirqs.count = 17;
	culprit = sample_add_culprit(sample, "bad", 3, "web1", true);
	culprit->cause = CAUSED_BY_KTHREAD;
	culprit = sample_add_culprit(sample, "worse", 1, "web2", false);
	culprit->off_set = true;
	culprit->tgid = 18;
}

static void assert_same_vms(const struct sample *a, const struct sample *b)
{
	assert_int_equal(a->n_vms, b->n_vms);
	for (size_t i = 0; i < a->n_vms; i++) {
		const struct sample_vm *x = &a->vms[i], *y = &b->vms[i];

		assert_string_equal(x->name, y->name);
		assert_string_equal(x->state, y->state);
		assert_string_equal(
			x->reason ? x->reason : "", y->reason ? y->reason : "");
		assert_int_equal(x->pid, y->pid);
		assert_int_equal(x->start_time, y->start_time);
		assert_int_equal(x->since, y->since);
		assert_memory_equal(x->foreign, y->foreign, sizeof(x->foreign));
		assert_memory_equal(&x->off_set, &y->off_set, sizeof(x->off_set));
		assert_memory_equal(&x->settling, &y->settling, sizeof(x->settling));
		assert_int_equal(x->n_vcpus, y->n_vcpus);
		assert_memory_equal(x->vcpus, y->vcpus, x->n_vcpus * sizeof(*x->vcpus));
	}
}

static void test_what_is_written_is_read(void **state)
{
	struct sample sample, again;
	char *line;

	(void)state;
	fill(&sample);
	assert_int_equal(sample_to_line(&sample, &line), 0);
	assert_int_equal(strchr(line, '\n') - line, strlen(line) - 1);
	assert_int_equal(sample_from_line(line, &again), 0);
	free(line);
	assert_string_equal(again.host, sample.host);
	assert_string_equal(again.kernel, sample.kernel);
	assert_string_equal(again.why.text, sample.why.text);
	assert_string_equal(again.note.text, sample.note.text);
	assert_int_equal(again.now, sample.now);
	assert_int_equal(again.time, sample.time);
	assert_int_equal(again.observer, sample.observer);
	assert_int_equal(again.start, sample.start);
	assert_int_equal(again.switches, sample.switches);
	assert_int_equal(again.lost, sample.lost);
	assert_int_equal(again.measures, sample.measures);
	assert_same_vms(&again, &sample);
	assert_int_equal(again.n_cpus, sample.n_cpus);
	assert_memory_equal(
		again.cpus, sample.cpus, sample.n_cpus * sizeof(*sample.cpus));
	assert_int_equal(again.n_culprits, sample.n_culprits);
	assert_memory_equal(again.culprits, sample.culprits,
		sample.n_culprits * sizeof(*sample.culprits));
	sample_deinit(&again);
	sample_deinit(&sample);
}

#define HEAD "{\"schema\":\"cpuwarden.sample/1\",\"observer\":\"running\","

static void test_what_no_host_has_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"schema\":\"cpuwarden.sample/2\",\"observer\":\"running\"}",
		"{\"schema\":\"cpuwarden.sample/1\"}",
		"{\"schema\":\"cpuwarden.sample/1\",\"observer\":\"asleep\"}",
		HEAD "\"now\":-1}",
		HEAD "\"now\":1.5}",
		HEAD "\"now\":\"1\"}",
		HEAD "\"time\":253370764801}",
		HEAD
		"\"host\":\"0123456789012345678901234567890123456789012345678901234567890123456\"}",
		HEAD "\"host\":\"a\\u0000b\"}",
		HEAD "\"cpus\":{}}",
		HEAD "\"cpus\":[{\"cpu\":8192}]}",
		HEAD "\"cpus\":[{\"cpu\":1},{\"cpu\":1}]}",
		HEAD "\"cpus\":[{\"cpu\":1,\"owner\":0}]}",
		HEAD "\"cpus\":[{\"cpu\":1,\"node\":65535}]}",
		HEAD "\"cpus\":[{\"cpu\":1,\"user\":[1]}]}",
		HEAD "\"cpus\":[{\"cpu\":1,\"user\":[1,-2]}]}",
		HEAD "\"vms\":[{\"name\":\"a\"}],\"cpus\":[{\"cpu\":1,\"owner\":1}]}",
		HEAD
		"\"vms\":[{\"name\":\"a\"}],\"cpus\":[{\"cpu\":1,\"owner\":0,\"vcpu\":8192}]}",
		HEAD "\"vms\":[{\"name\":\"b\"},{\"name\":\"a\"}]}",
		HEAD "\"vms\":[{\"name\":\"b\"},{\"name\":\"b\"}]}",
		HEAD "\"vms\":[{\"name\":\"b\",\"pid\":4294967296}]}",
		HEAD "\"vms\":[{\"name\":\"b\",\"vcpus\":[{\"index\":8192}]}]}",
		HEAD
		"\"vms\":[{\"name\":\"b\",\"vcpus\":[{\"index\":1},{\"index\":0}]}]}",
		HEAD
		"\"vms\":[{\"name\":\"b\",\"vcpus\":[{\"index\":1,\"waits\":[1]}]}]}",
		HEAD "\"culprits\":[{\"cpu\":1,\"cause\":\"fate\"}]}",
		HEAD
		"\"culprits\":[{\"cpu\":1,\"off_set\":true},{\"cpu\":2,\"off_set\":true,\"running\":true}]}",
		HEAD
		"\"culprits\":[{\"cpu\":1,\"off_set\":true,\"comm\":\"0123456789012345\"}]}",
	};
	struct sample sample;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		if (sample_from_line(bad[i], &sample) != -EINVAL)
			fail_msg("%s", bad[i]);
	assert_int_equal(sample_from_line(HEAD "\"now\":1}", &sample), 0);
	sample_deinit(&sample);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = must(fopen(path, "w"));

	fputs(text, file);
	fclose(file);
}

static void test_a_recording_grows_and_is_read_in_order(void **state)
{
	cleanup_recording struct recording *recording = NULL;
	struct sample sample;
	int fd;

	(void)state;
	for (uint64_t second = 1; second <= 3; second++) {
		assert_int_equal(recording_create(path_of("grows"), &fd, NULL), 0);
		sample_init(&sample, second, 1, 2);
		assert_int_equal(recording_append(fd, &sample, NULL), 0);
		sample_deinit(&sample);
		close(fd);
	}
	assert_int_equal(recording_open(path_of("grows"), &recording, NULL), 0);
	assert_int_equal(recording_length(recording), 3);
	for (size_t i = 3; i--;) {
		assert_int_equal(recording_read(recording, i, &sample, NULL), 0);
		assert_int_equal(sample.now, (i + 1) * SECOND);
		sample_deinit(&sample);
	}
}

static void test_what_is_no_recording(void **state)
{
	struct recording *recording = NULL;
	struct problem problem;
	struct sample sample;
	int fd;

	(void)state;
	assert_int_equal(recording_open(path_of("none"), &recording, &problem), -ENOENT);
	assert_int_equal(recording_open(scratch, &recording, &problem), -EINVAL);
	write_file(path_of("bad"), HEAD "\"now\":1}\n{}\nnot whole");
	assert_int_equal(recording_create(path_of("bad"), &fd, &problem), -EINVAL);
	assert_non_null(strstr(problem.text, "does not end with a whole line"));
	assert_int_equal(recording_open(path_of("bad"), &recording, &problem), 0);
	assert_int_equal(recording_length(recording), 2);
	assert_int_equal(recording_read(recording, 0, &sample, &problem), 0);
	sample_deinit(&sample);
	assert_int_equal(recording_read(recording, 1, &sample, &problem), -EINVAL);
	assert_non_null(strstr(problem.text,
		"/bad:2: this is no sample of the form cpuwarden.sample/1"));
	recording_close(recording);
	write_file(path_of("bad"), "not whole");
	assert_int_equal(recording_open(path_of("bad"), &recording, &problem), -ENODATA);
	mkfifo(path_of("fifo"), 0600);
	assert_int_equal(recording_open(path_of("fifo"), &recording, &problem), -EINVAL);
	assert_int_equal(recording_create("/dev/null", &fd, &problem), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_written_is_read),
		cmocka_unit_test(test_what_no_host_has_is_refused),
		cmocka_unit_test(test_a_recording_grows_and_is_read_in_order),
		cmocka_unit_test(test_what_is_no_recording),
	};

	return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
