#compdef fdbevents
# zsh completion for fdbevents. The program itself lists what can follow.
_fdbevents() {
  local -a options given
  given=(${words[1,CURRENT-1]})
  [[ ${words[CURRENT]} == -* ]] && given+=(${words[CURRENT]})
  options=(${(f)"$(${given} --generate-bash-completion 2>/dev/null)"})
  if (( ${#options} )); then
    compadd -a options
  else
    _files
  fi
}
compdef _fdbevents fdbevents
