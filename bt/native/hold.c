/* Waits in the place of a command, and becomes it: the arguments and the environment come through a descriptor, so that
 * no other user can read them, as they could in the arguments of a process.
 *
 * hold DESCRIPTOR. From it: the number of bytes that follow, 8 bytes; the soft limit of open files or 0, the number of
 * words, and the number of variables, 8 bytes each; the words and the variables, each with a zero byte at its end. A
 * further byte lets it become the command. When the other end closes first, it ends with 125. */
#include "runtime.h"
#include <linux/errno.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/types.h>

#define NO_COMMAND 125
#define NOT_EXECUTABLE 126
#define NOT_FOUND 127

/* How much of a path of the file system is read: PATH_MAX. */
#define LONGEST_PATH 4096

static long gate;

static void read_all(char *to, unsigned long left) {
  while (left > 0) {
    long got = SYSCALL(read, gate, to, left);
    if (got == -EINTR) continue;
    if (got <= 0) quit(NO_COMMAND);
    to += got;
    left -= got;
  }
}

static char *memory(unsigned long bytes) {
  long at = SYSCALL(mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at < 0 && at > -4096) quit(NO_COMMAND);
  return (char *)at;
}

static unsigned long length(const char *text) {
  unsigned long n = 0;
  while (text[n]) n++;
  return n;
}

static const char *find(const char *text, char byte) {
  while (*text && *text != byte) text++;
  return text;
}

/* Fills a list of pointers to texts, with a null at its end. Returns what follows the texts. */
static char *list(char **to, unsigned long count, char *texts) {
  for (unsigned long i = 0; i < count; i++) {
    to[i] = texts;
    texts += length(texts) + 1;
  }
  to[count] = 0;
  return texts;
}

static const char *path_variable(char **variables) {
  for (; *variables; variables++) {
    const char *name = "PATH=", *at = *variables;
    while (*name && *name == *at) name++, at++;
    if (!*name) return at;
  }
  return "/bin:/usr/bin";
}

/* A file that is no program is a script for sh. `words` has a free element in front. */
static long execute(const char *path, char **words, char **variables) {
  long error = SYSCALL(execve, path, words, variables);
  if (error != -ENOEXEC) return error;
  char *first = words[0];
  words[-1] = "/bin/sh";
  words[0] = (char *)path;
  SYSCALL(execve, "/bin/sh", words - 1, variables);
  words[0] = first;
  return error;
}

/* As execvp(3) does. Returns the error. */
static long search(char **words, char **variables) {
  static char path[LONGEST_PATH];
  char *command = words[0];
  if (*find(command, '/')) return execute(command, words, variables);
  long problem = -ENOENT;
  unsigned long size = length(command) + 1;
  for (const char *place = path_variable(variables), *end;; place = end + 1) {
    end = find(place, ':');
    unsigned long n = end - place;
    if (n + 1 + size <= sizeof path) {
      for (unsigned long i = 0; i < n; i++) path[i] = place[i];
      if (n) path[n++] = '/';
      for (unsigned long i = 0; i < size; i++) path[n + i] = command[i];
      long error = execute(path, words, variables);
      if (error == -EACCES) problem = error;
      else if (error != -ENOENT && error != -ENOTDIR && error != -ESTALE && error != -ENODEV && error != -ETIMEDOUT) return error;
    }
    if (!*end) return problem;
  }
}

static void limit_open_files(unsigned long soft) {
  struct rlimit64 { __u64 soft, hard; } limit;
  if (!soft || SYSCALL(prlimit64, 0, RLIMIT_NOFILE, 0, &limit) < 0) return;
  limit.soft = soft < limit.hard ? soft : limit.hard;
  SYSCALL(prlimit64, 0, RLIMIT_NOFILE, &limit, 0);
}

__attribute__((noreturn)) static void fail(long error) {
  char text[] = "btprof: cannot run the command (errno 000).\n";
  for (int i = 2, n = -error; i >= 0; i--, n /= 10) text[sizeof text - 7 + i] = '0' + n % 10;
  SYSCALL(write, 2, text, sizeof text - 1);
  quit(error == -ENOENT ? NOT_FOUND : NOT_EXECUTABLE);
}

__attribute__((noreturn, used)) void start(long *stack) {
  char **arguments = (char **)(stack + 1);
  for (const char *digit = arguments[1]; *digit; digit++) gate = 10 * gate + (*digit - '0');
  SYSCALL(prctl, PR_SET_NAME, "btprof-hold");
  struct { __u64 bytes, open_files, words, variables; } head;
  read_all((char *)&head, sizeof head);
  char *texts = memory(head.bytes + 1);
  read_all(texts, head.bytes);
  char **lists = (char **)memory((head.words + head.variables + 3) * sizeof *lists);
  char **words = lists + 1, **variables = words + head.words + 1;
  list(variables, head.variables, list(words, head.words, texts));
  char go;
  read_all(&go, 1);
  SYSCALL(close, gate);
  limit_open_files(head.open_files);
  fail(search(words, variables));
}
