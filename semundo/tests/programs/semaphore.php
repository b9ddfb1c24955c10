// A lock of PHP's extension sysvsem, by commands on standard input.
while (($line = fgets(STDIN)) !== false) {
    $words = explode(" ", trim($line));
    switch ($words[0]) {
        case "open":
            $lock = sem_get((int)$words[1], 1, 0600, true);
            // The extension does not tell the set's id; the kernel's table does.
            foreach (file("/proc/sysvipc/sem") as $row) {
                $fields = preg_split("/\s+/", trim($row));
                if ($fields[0] === $words[1]) {
                    echo $fields[1], "\n";
                }
            }
            break;
        case "acquire":
            sem_acquire($lock);
            echo "acquired\n";
            break;
        case "release":
            sem_release($lock);
            echo "released\n";
            break;
    }
}
