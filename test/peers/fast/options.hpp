#pragma once
#include <cstdlib>
#include <cstring>
#include <string>

/** What the command line says: a role, and behind it `--name value` each. */
class Options {
  int argc_;
  char **argv_;

public:
  Options(int argc, char **argv) : argc_(argc), argv_(argv) {}
  std::string role() const { return argc_ > 1 ? argv_[1] : ""; }
  std::string text(const char *name, const char *otherwise) const
  {
    for (int i = 2; i + 1 < argc_; i += 2)
      if (!strcmp(argv_[i], name)) return argv_[i + 1];
    return otherwise;
  }
  double number(const char *name, double otherwise) const
  {
    const std::string value = text(name, "");
    return value.empty() ? otherwise : atof(value.c_str());
  }
};
